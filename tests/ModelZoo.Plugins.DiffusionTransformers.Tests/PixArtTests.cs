using System.Globalization;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Plugins.DiffusionTransformers.PixArt;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>PixArt as its authors publish it: one .pth file, with T5 and the autoencoder in folders beside it.</summary>
public sealed class PixArtTests : IDisposable
{
    private readonly TinyPipeline _pipeline = new();

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Generate_AuthorsLayout_KeepsTheLaws()
    {
        _pipeline.Part("", "pixart-sigma/authors-plain");
        _pipeline.T5("", 16);
        _pipeline.Vae(4);
        await using var model = await _pipeline.OpenAsync(PixArtModel.Sigma);
        await TinyPipeline.KeepsTheLawsAsync(model, new TextOptions { Steps = 4, PreviewEvery = 2 });
    }

    [Theory]
    [InlineData(256, true, 0.5)]
    [InlineData(1024, true, 2)]
    [InlineData(256, false, 1)]
    [InlineData(512, false, 1)]
    [InlineData(1024, false, 2)]
    public void Config_OfTensorsAlone_IsThePublishedConstructors(int pixels, bool spreads, double scale)
    {
        var published = new PixArtConfig { InputSize = pixels / 8, ModelMaxLength = spreads ? 300 : 120, PeInterpolation = scale, KvCompressConfig = pixels == 1024 && spreads ? new() { Sampling = "conv", ScaleFactor = 2, KvCompressLayer = [14, 15, 27] } : null };
        var told = PublishedPixArt.Config([.. Tensors(published)], spreads);
        Assert.Equal(published with { KvCompressConfig = null }, told with { KvCompressConfig = null });
        Assert.Equal(published.KvCompressConfig?.KvCompressLayer, told.KvCompressConfig?.KvCompressLayer);
        Assert.Equal(published.KvCompressConfig?.ScaleFactor, told.KvCompressConfig?.ScaleFactor);
    }

    [Fact]
    public void Config_OfOtherTensors_SaysWhatIsMissing()
    {
        var error = Assert.Throws<CheckpointException>(() => PublishedPixArt.Config([new("blocks.0.attn.proj.weight", ElementType.Float32, [4, 4])], spreads: true));
        Assert.Contains("config.json", error.Expected, StringComparison.Ordinal);
    }

    // What the network asks for, and the two tables that only the authors' files hold.
    private static IEnumerable<TensorInfo> Tensors(PixArtConfig config)
    {
        var side = config.InputSize / config.PatchSize;
        yield return new("pos_embed", ElementType.Float32, [1, side * side, config.HiddenSize]);
        yield return new("y_embedder.y_embedding", ElementType.Float32, [config.ModelMaxLength, config.CaptionChannels]);
        foreach (var line in TextNetwork.Inventory(PixArtNetwork.Conditions(config, sizes: false), config.InputSize, config.InputSize, (scope, inputs) => PixArtNetwork.Build(scope, inputs, config)))
        {
            var at = line.LastIndexOf('[');
            yield return new(line[..at].Trim(), ElementType.Float32, [.. line[(at + 1)..^1].Split(',', StringSplitOptions.TrimEntries).Select(extent => long.Parse(extent, CultureInfo.InvariantCulture))]);
        }
    }
}
