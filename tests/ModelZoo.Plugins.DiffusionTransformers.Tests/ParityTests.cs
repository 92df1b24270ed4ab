using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

public sealed class ParityTests
{
    public static IEnumerable<object[]> Cases { get; } =
    [
        .. ParityCasesAttribute.Find("diffusion-transformers").Where(@case => new DiffusionTransformersPlugin().Architectures.Any(architecture => architecture.Card.Id == @case.Model.ToString())).Select(@case => new object[] { @case }),
    ];

    [Theory, MemberData(nameof(Cases))]
    public Task Calls_OfThePublishedCode_AreReproduced(ParityCase @case) => Parity.VerifyAsync<DiffusionTransformersPlugin>(@case);

    public static TheoryData<ParityCase> Folders => [.. ParityCasesAttribute.AsPublished("diffusion-transformers")];

    [Theory, MemberData(nameof(Folders))]
    public Task Calls_OnTheFolderAsPublished_AreReproduced(ParityCase @case) => Parity.VerifyAsync<DiffusionTransformersPlugin>(@case);
}
