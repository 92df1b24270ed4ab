using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.Components.Tests;

public sealed class ComponentsParityTests
{
    [Theory, ParityCases("components")]
    public Task Components_ReproduceTheirLibraries(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("metrics")]
    public Task Metrics_ReproduceTheirLibraries(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);
}
