using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.Components.Tests;

public sealed class ComponentsParityTests
{
    /// <summary>The cases of every part and metric that the plugin has.</summary>
    public static TheoryData<ParityCase> Cases => [.. new ComponentsPlugin().Architectures.SelectMany(architecture => ParityCasesAttribute.Find(architecture.Card.Id))];

    [Theory, MemberData(nameof(Cases))]
    public Task Part_EveryCase_ReproducesItsLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);
}
