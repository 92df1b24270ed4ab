using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

/// <summary>Files of tokens that were changed by hand: an arrangement that the decoder cannot take is said, and not left to the engine.</summary>
public class ArrangementTests
{
    [Theory]
    [InlineData("titok", new long[] { 48 })]
    [InlineData("titok", new long[] { 0 })]
    [InlineData("titok", new long[] { 2, 12 })]
    [InlineData("maskbit/lfq-10bit", new long[] { 0, 0 })]
    [InlineData("maskbit/lfq-10bit", new long[] { 16 })]
    [InlineData("fqgan/dual", new long[] { 2, 3, 3 })]
    public async Task Detokenize_IdsInAnotherArrangement_AreRefused(string name, long[] shape)
    {
        var folder = name == "titok" ? Repository.Path("samples", "titok-emoji") : Repository.Path(["tests", "parity", "image-tokenizers", .. name.Split('/'), "checkpoint"]);
        var architecture = new ImageTokenizersPlugin().Architectures.Single(architecture => architecture.Card.Id == $"image-tokenizers/{name.Split('/')[0]}");
        await using var model = await architecture.Open(new() { Id = ModelId.Parse(architecture.Card.Id), Folder = folder, Services = HostServices.Instance }, default);
        var tokenizer = model.Get<ITokenize>();
        var tokens = await tokenizer.TokenizeAsync(new Image(Tensor.Zeros<float>(3, 32, 32)), new ImageTokenizerOptions());
        var error = await Assert.ThrowsAsync<MediaException>(async () => await tokenizer.DetokenizeAsync(tokens with { Ids = Tensor.Zeros<int>(shape) }, new ImageTokenizerOptions()));
        Assert.Equal(ErrorCodes.TokensInvalid, error.Code);
        Assert.Equal(string.Join(" x ", shape), error.Found);
    }
}
