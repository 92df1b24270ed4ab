using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.Components.Tests.Parts;

public sealed class PerceptualTests
{
    [Theory, ParityCases("metrics/lpips-alex")]
    public Task LpipsAlex_ReproducesThePackage(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("metrics/lpips-vgg")]
    public Task LpipsVgg_ReproducesThePackage(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("metrics/lpips-squeeze")]
    public Task LpipsSqueeze_ReproducesThePackage(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("metrics/clip-score")]
    public Task ClipScore_ReproducesTorchmetrics(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("metrics/t2m-evaluator")]
    public Task MotionEvaluator_ReproducesTheAuthorsCode(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);
}
