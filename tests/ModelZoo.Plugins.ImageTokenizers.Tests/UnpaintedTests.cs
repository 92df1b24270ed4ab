using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

/// <summary>Tokenizers whose tokens another model paints: they are evaluated by their codes, and refuse to paint by saying who would.</summary>
public class UnpaintedTests
{
    [Theory]
    [InlineData("seed", "tiny")]
    [InlineData("digit", "postnorm")]
    public async Task Evaluate_TokensThatNothingPaints_CountsTheirCodes(string name, string weights)
    {
        await using var model = await OpenAsync(name, weights);
        var evaluate = model.Get<IEvaluate>();
        Assert.Equal(["codebook-usage", "codebook-perplexity"], evaluate.DefaultMetrics);
        var observations = await evaluate.ObserveAsync(new[] { new Example("a", Picture) }.ToAsyncEnumerable(), new ImageTokenizerEvaluation(), 0).ToListAsync();
        Assert.Null(Assert.Single(observations).Output);
        Assert.NotEmpty(observations[0].Tokens!.Ids.Span.ToArray());
    }

    [Theory]
    [InlineData("seed", "tiny")]
    [InlineData("digit", "postnorm")]
    public async Task DetokenizeAndGenerate_TokensThatNothingPaints_SayWhatWould(string name, string weights)
    {
        await using var model = await OpenAsync(name, weights);
        var tokenizer = model.Get<ITokenize>();
        var tokens = await tokenizer.TokenizeAsync(Picture, new ImageTokenizerOptions());
        var error = await Assert.ThrowsAsync<ModelZooException>(async () => await tokenizer.DetokenizeAsync(tokens, new ImageTokenizerOptions()));
        var same = await Assert.ThrowsAsync<ModelZooException>(async () => await model.Get<IGenerate<Image, ReconstructionStrip>>().GenerateAsync(new(null, [Picture]), new(), 0).ToListAsync());
        Assert.Equal((ErrorCodes.VerbUnsupported, error.Message), (error.Code, same.Message));
        Assert.Contains("not here", error.Message);
    }

    private static Image Picture => new(Tensor.Zeros<float>(3, 32, 32));

    private static async Task<IModel> OpenAsync(string name, string weights)
    {
        var architecture = new ImageTokenizersPlugin().Architectures.Single(architecture => architecture.Card.Id == $"image-tokenizers/{name}");
        return await architecture.Open(new() { Id = ModelId.Parse(architecture.Card.Id), Folder = Repository.Path("tests", "parity", "image-tokenizers", name, weights, "checkpoint"), Services = HostServices.Instance }, default);
    }
}
