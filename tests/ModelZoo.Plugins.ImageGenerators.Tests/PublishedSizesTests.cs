using ModelZoo.Conformance;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class PublishedSizesTests
{
    [Theory]
    [InlineData("var.d16", 310_283_520L)]
    [InlineData("var.d20", 600_917_136L)]
    [InlineData("var.d24", 1_033_399_360L)]
    [InlineData("var.d30", 2_010_020_356L)]
    [InlineData("var.d36", 2_353_893_904L)]
    [InlineData("taming-transformer.drin", 304_932_864L)]
    [InlineData("semanticist-ar.l", 488_566_800L)]
    [InlineData("fqgan-far.b", 417_104_896L)]
    [InlineData("d-ar.l", 342_910_976L)]
    [InlineData("instella-ar", 877_176_896L)]
    [InlineData("instella-diffusion", 1_292_517_440L)]
    [InlineData("latentlm.l", 495_266_816L)]
    [InlineData("enat.l", 565_904_385L)]
    public void Inventory_PublishedSize_IsApproved(string size, long parameters)
    {
        string[] lines = [.. Networks(size).SelectMany(Network.Inventory).Distinct().Order(StringComparer.Ordinal)];
        Assert.Equal(parameters, ApprovedInventory.Verify("ModelZoo.Plugins.ImageGenerators.Tests", size, lines));
    }

    private static Action<Scope>[] Networks(string size) => size switch
    {
        "taming-transformer.drin" => [scope => MinGptNetwork.Forward(scope["transformer"], new() { VocabSize = 1024, BlockSize = 512, NLayer = 24, NHead = 16, NEmbd = 1024 }, embeddings: false)],
        "semanticist-ar.l" => [scope => SemanticistArNetwork.Start(scope, new()), scope => SemanticistArNetwork.Next(scope, new()), scope => SemanticistArNetwork.Step(scope, new()), scope => SemanticistArNetwork.Head(scope["diffloss.net"], new())],
        "fqgan-far.b" => [scope => FqGanFarNetwork.Start(scope, new()), scope => FqGanFarNetwork.Next(scope, new()), scope => FqGanFarNetwork.Step(scope, new()), scope => FqGanFarNetwork.Head(scope, new(), semantic: false), scope => FqGanFarNetwork.Head(scope, new(), semantic: true)],
        "d-ar.l" => [scope => DArNetwork.Forward(scope, new())],
        "instella-ar" => [scope => InstellaArNetwork.Forward(scope, new())],
        "instella-diffusion" => [scope => InstellaDiffusionNetwork.Build(scope, new())],
        "latentlm.l" => [scope => LatentLmNetwork.Parallel(scope, new()), scope => LatentLmNetwork.Head(scope, new())],
        "enat.l" => [scope => EnatNetwork.Build(scope, new(), new(true, true, true))],
        _ => [scope => VarNetwork.Forward(scope, VarConfig.Published(int.Parse(size["var.d".Length..]), large: size == "var.d36"), 4096, 32)],
    };
}
