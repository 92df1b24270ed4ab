using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

public class ConfigTests
{
    [Theory]
    [InlineData("256", new[] { 256, 256 })]
    [InlineData("[256, 64]", new[] { 256, 64 })]
    public void DualToken_SizeOfTheCodebooks_IsOneForAllOrOneForEach(string entries, int[] expected) => Assert.Equal(expected, Quantizer(entries).Entries);

    [Fact]
    public void DualToken_SizesOfAnotherNumberOfCodebooks_AreRefused() =>
        Assert.Equal("n_embed", Assert.Throws<CheckpointException>(() => Quantizer("[256, 64, 32]").Entries).Where);

    [Fact]
    public void Selftok_BlocksThatAreOnlyScaled_AreRefusedByName()
    {
        var error = Assert.Throws<ModelZooException>(() => Bind<SelftokConfig>("""{ "tokenizer": { "params": { "decoder_config": { "scale_mod_only": true } } } }"""));
        Assert.Equal(ErrorCodes.ConfigInvalid, error.Code);
        Assert.Contains("scale_mod_only", $"{error.Where} {error.What}", StringComparison.Ordinal);
    }

    [Fact]
    public void TokenBridge_WithoutSizes_IsTheAuthorsClassByDefault() =>
        Assert.Equal((256, 32), (Bind<TokenBridgeConfig>("{}").Model.ChannelEmbedDim, Bind<TokenBridgeConfig>("{}").Model.QuantLevels));

    private static DualTokenQuantizer Quantizer(string entries) => Bind<DualTokenQuantizer>($$"""{ "code_shape": [4, 4, 2], "n_embed": {{entries}} }""");

    private static T Bind<T>(string json) => PublishedConfig.Bind<T>(System.Text.Json.Nodes.JsonNode.Parse(json)!, "test").Value;
}
