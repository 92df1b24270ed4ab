using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Plugins.DiffusionTransformers.DiT4SR;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>DiT4SR: a small picture and words to a large one.</summary>
public sealed class SuperResolutionTests : IDisposable
{
    private readonly TinyPipeline _pipeline = new();

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Generate_DiT4SR_EnlargesThePictureAndKeepsTheLaws()
    {
        _pipeline.StableDiffusion3("dit4sr/tiny-r1", width: 12, whole: 10);
        _pipeline.Vae(4);
        await using var model = await _pipeline.OpenAsync(DiT4SRModel.Architecture);
        var options = new SuperResolutionOptions { Steps = 4, PreviewEvery = 2, ProcessSize = 32, TileSize = 8, TileOverlap = 2 };
        var small = new Image(Pattern(3, 8, 12));
        await TinyPipeline.KeepsTheLawsAsync(model, options, media: small);
        var large = (await TinyPipeline.GenerateAsync(model, new("a cat", [small]), options))[^1].Result!.Pixels;
        Assert.Equal([3, 32, 48], large.Shape.ToArray());
        Assert.NotEqual(large.Span.ToArray(), (await TinyPipeline.GenerateAsync(model, new("a cat", [new Image(Tensor.Zeros<float>(3, 8, 12))]), options))[^1].Result!.Pixels.Span.ToArray());
        // The colours are the given picture's.
        for (var channel = 0; channel < 3; channel++) Assert.Equal(small.Pixels.Slice(channel).Span.ToArray().Average(), large.Slice(channel).Span.ToArray().Average(), 0.05f);
        var grey = (await TinyPipeline.GenerateAsync(model, new(null, [new Image(Pattern(1, 5, 7))]), options with { Upscale = 2 }))[^1].Result!;
        Assert.Equal((3, 10, 14), (grey.Channels, grey.Height, grey.Width));
        await Assert.ThrowsAsync<MediaException>(() => TinyPipeline.GenerateAsync(model, new("a cat"), options));
    }

    [Theory]
    [InlineData(null, 0f, true)]
    [InlineData(null, 0.5f, false)]
    [InlineData("model_dit4sr_r1", 0f, false)]
    [InlineData("Adam-duan/DiT4SR@7ec9e5e:model_dit4sr_r1/transformer_sd3.py:SD3Transformer2DModel", 0.5f, false)]
    [InlineData("Adam-duan/DiT4SR@7ec9e5e:model_dit4sr/transformer_sd3.py:SD3Transformer2DModel", 0.5f, true)]
    [InlineData("dit4sr_q", 0.5f, true)]
    public void SharesKeys_SettingOrWeights_TellTheVersion(string? reference, float key, bool shares)
    {
        using var checkpoint = Keys(key);
        Assert.Equal(shares, DiT4SRVersion.SharesKeys(Source(reference), checkpoint));
    }

    [Fact]
    public void SharesKeys_SettingOfNeitherVersion_IsRefused()
    {
        using var checkpoint = Keys(0);
        var error = Assert.Throws<OptionsException>(() => DiT4SRVersion.SharesKeys(Source("sd3"), checkpoint));
        Assert.Equal((ErrorCodes.OptionRange, "reference", "sd3"), (error.Code, error.Where, error.Found));
    }

    [Theory]
    [InlineData(64, 64, 24, new[] { 0 })]
    [InlineData(66, 64, 24, new[] { 0, 2 })]
    [InlineData(128, 64, 24, new[] { 0, 40, 64 })]
    [InlineData(104, 64, 24, new[] { 0, 40 })]
    public void Starts_TilesOfASide_CoverItAndEndWithIt(int extent, int tile, int overlap, int[] expected) => Assert.Equal(expected, SuperResolution.Starts(extent, tile, overlap));

    [Theory]
    [InlineData(ColourFix.Adain)]
    [InlineData(ColourFix.Wavelet)]
    public void Fix_PictureOfTheSameColours_StaysAsItIs(ColourFix fix)
    {
        var picture = Pattern(3, 6, 9);
        Assert.All(picture.Span.ToArray().Zip(Colours.Fix(fix, picture, picture).Span.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
        Assert.Same(picture, Colours.Fix(ColourFix.None, picture, Tensor.Zeros<float>(3, 6, 9)));
    }

    [Fact]
    public void Resize_LinearRampWithin_KeepsItAndTheMean()
    {
        // Keys' cubic reproduces straight lines away from the edges.
        var ramp = Tensor.Zeros<float>(1, 16, 16);
        for (var i = 0; i < 256; i++) ramp.Span[i] = i % 16 / 16f;
        var large = Pictures.Resize(ramp, 32, 32);
        for (var x = 8; x < 24; x++) Assert.Equal(((x + 0.5f) / 2 - 0.5f) / 16, large[0, 16, x], 1e-5f);
        var small = Pictures.Resize(Pictures.Resize(Pattern(3, 9, 12), 9, 24), 18, 6);
        Assert.Equal([3, 18, 6], small.Shape.ToArray());
    }

    [Fact]
    public void ToSquare_WidePicture_HasBlackAboveAndBelow()
    {
        var white = Tensor.Zeros<float>(3, 4, 8);
        white.Span.Fill(1);
        var square = Pictures.ToSquare(white, 8);
        Assert.Equal(0, square[0, 0, 4], 1e-6f);
        Assert.Equal(1, square[0, 4, 4], 1e-6f);
    }

    private static ModelSource Source(string? reference) => new()
    {
        Id = ModelId.Parse("diffusion-transformers/dit4sr"), Services = HostServices.Instance, Settings = reference is null ? new() : new(JsonSerializer.SerializeToElement(new { reference })),
    };

    // A map of zeros but for its last weight.
    private Checkpoint Keys(float last)
    {
        var path = _pipeline.At("keys.safetensors");
        using (var stream = File.Create(path)) SafetensorsWriter.Write(stream, new Dictionary<string, Tensor> { ["transformer_blocks.0.attn.to_k_control.weight"] = Tensor.Create([0, 0, 0, last], 2, 2) });
        return Checkpoint.Open(path);
    }

    private static Tensor<float> Pattern(int channels, int height, int width)
    {
        var pixels = Tensor.Zeros<float>(channels, height, width);
        for (var i = 0; i < pixels.Length; i++) pixels.Span[i] = 0.2f + 0.6f * (i % 7) / 7;
        return pixels;
    }
}
