using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

/// <summary>The demonstration checkpoint on pictures that it never saw, against what the authors' code made of them (samples/titok-emoji/reference.json).</summary>
public sealed class TiTokDemonstrationTests : IAsyncLifetime
{
    private static readonly string Folder = Repository.Path("samples", "titok-emoji");
    private IModel _model = null!;

    public async Task InitializeAsync() =>
        _model = await TiTokModel.Architecture.Open(new() { Id = ModelId.Parse("image-tokenizers/titok.emoji"), Folder = Folder, Services = HostServices.Instance }, default);

    public async Task DisposeAsync() => await _model.DisposeAsync();

    [Fact]
    public async Task Tokenize_UnseenPictures_GivesTheReferenceTokensAndPsnr()
    {
        using var reference = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "reference.json")));
        var tokenizer = _model.Get<ITokenize>();
        var total = 0.0;
        var pictures = reference.RootElement.GetProperty("pictures").EnumerateObject().ToList();
        foreach (var picture in pictures)
        {
            var image = SmallPng.Read(Path.Combine(Folder, "pictures", picture.Name));
            var tokens = await tokenizer.TokenizeAsync(image, new ImageTokenizerOptions());
            Assert.Equal(picture.Value.GetProperty("tokens").Deserialize<int[]>(), tokens.Ids.Span.ToArray());
            var psnr = Psnr(image, (Image)await tokenizer.DetokenizeAsync(tokens, new ImageTokenizerOptions()));
            Assert.Equal(picture.Value.GetProperty("psnr_db").GetDouble(), psnr, 0.01);
            total += psnr;
        }

        Assert.Equal(24, pictures.Count);
        Assert.Equal(18.19, total / pictures.Count, 0.005);
    }

    [Fact]
    public async Task Generate_StripOfAPicture_ShowsOneReconstructionEachTokenCount()
    {
        var image = SmallPng.Read(Path.Combine(Folder, "pictures", "boar.png"));
        var steps = new List<Generation>();
        await foreach (var step in _model.Get<IGenerate>().GenerateAsync(new(null, [image]), new ReconstructionStrip { Tokens = [2, 24] }, 0)) steps.Add(step);

        Assert.Equal([false, false, true], steps.Select(step => step.IsFinal));
        var strip = (Image)steps[^1].Value!;
        Assert.Equal((32, 96), (strip.Height, strip.Width));
        var tokens = await _model.Get<ITokenize>().TokenizeAsync(image, new ImageTokenizerOptions());
        var whole = (Image)await _model.Get<ITokenize>().DetokenizeAsync(tokens, new ImageTokenizerOptions());
        Assert.Equal(whole.Pixels.Span.ToArray(), ((Image)steps[1].Value!).Pixels.Span.ToArray());
    }

    [Fact]
    public async Task Detokenize_TokensOfAnotherVocabulary_AreRefused()
    {
        var foreign = new Tokens(new("image-tokenizers/titok.other", TokenLayout.Flat, [512], "00"), Tensor.Zeros<int>(24));
        var error = await Assert.ThrowsAsync<MediaException>(async () => await _model.Get<ITokenize>().DetokenizeAsync(foreign, new ImageTokenizerOptions()));
        Assert.Equal(ErrorCodes.TokensForeign, error.Code);
    }

    // The reference counts pictures as 8-bit files do.
    private static double Psnr(Image a, Image b)
    {
        var squares = 0.0;
        for (var i = 0; i < a.Pixels.Length; i++) squares += Math.Pow(a.Pixels.Span[i] - b.Pixels.Span[i], 2);
        return -10 * Math.Log10(squares / a.Pixels.Length);
    }
}
