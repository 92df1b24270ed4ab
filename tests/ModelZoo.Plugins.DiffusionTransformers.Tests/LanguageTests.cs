using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.FlowTok;
using ModelZoo.Plugins.DiffusionTransformers.Kaleido;
using ModelZoo.Plugins.DiffusionTransformers.LiDiT;
using ModelZoo.Plugins.DiffusionTransformers.PtDiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>Papers that read texts in ways of their own.</summary>
public sealed class LanguageTests : IDisposable
{
    private readonly TinyPipeline _pipeline = new();

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Generate_PtDiT_KeepsTheLaws()
    {
        _pipeline.Part("", "pt-dit/tiny");
        _pipeline.T5("", 24);
        _pipeline.Vae(4);
        await using var model = await _pipeline.OpenAsync(PtDiTModel.Architecture);
        await TinyPipeline.KeepsTheLawsAsync(model, new TextOptions { Steps = 4, PreviewEvery = 2, Height = 32, Width = 64 });
        // Windows of four tokens of two places of four pixels.
        await Assert.ThrowsAsync<OptionsException>(() => TinyPipeline.PictureAsync(model, "a cat", new TextOptions { Height = 48, Width = 64 }));
    }

    [Fact]
    public async Task Generate_LiDiT_KeepsTheLaws()
    {
        _pipeline.Part("", "li-dit/tiny");
        _pipeline.T5("", 10);
        _pipeline.T5("_2", 8);
        _pipeline.Vae(4);
        await using var model = await _pipeline.OpenAsync(LiDiTModel.Architecture);
        await TinyPipeline.KeepsTheLawsAsync(model, new TextOptions { Steps = 4, PreviewEvery = 2, Height = 32, Width = 32 });
    }

    [Fact]
    public async Task Generate_LiDiT_TakesFeaturesInsteadOfWords()
    {
        _pipeline.Part("", "li-dit/tiny");
        _pipeline.Vae(4);
        await using var model = await _pipeline.OpenAsync(LiDiTModel.Architecture);
        var options = new TextOptions { Steps = 2, Height = 32, Width = 32 };
        var features = new Dictionary<string, Tensor> { ["features_0"] = Wave(5, 10), ["features_1"] = Wave(3, 8) };
        var error = await Assert.ThrowsAsync<MediaException>(() => TinyPipeline.GenerateAsync(model, new(null, [new NamedTensors(features)]), options));
        Assert.Contains("negative_features_0", error.Expected, StringComparison.Ordinal);
        var alone = await PictureAsync(features, options with { Guidance = 1 });
        (features["negative_features_0"], features["negative_features_1"]) = (Wave(5, 10), Wave(3, 8));
        Assert.All(alone.Zip(await PictureAsync(features, options)), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
        features["negative_features_0"] = Wave(5, 10, 2);
        Assert.NotEqual(alone, await PictureAsync(features, options));

        async Task<float[]> PictureAsync(IReadOnlyDictionary<string, Tensor> tensors, TextOptions chosen) => (await TinyPipeline.GenerateAsync(model, new(null, [new NamedTensors(tensors)]), chosen))[^1].Result!.Pixels.Span.ToArray();
    }

    [Fact]
    public async Task Generate_Kaleido_LatentsMakePicturesDiffer()
    {
        _pipeline.Part("", "kaleido/tiny");
        TinyParts.Pieces(_pipeline.At("tokenizer"), "asmlctwodg");
        await using var model = await _pipeline.OpenAsync(KaleidoModel.Architecture);
        var options = new KaleidoOptions { Steps = 4, PreviewEvery = 2, MaxLatents = 5 };
        await TinyPipeline.KeepsTheLawsAsync(model, options);
        Assert.NotEqual(await TinyPipeline.PictureAsync(model, "a cat", options), await TinyPipeline.PictureAsync(model, "a cat", options with { MaxLatents = 0 }));
        Assert.NotEqual(await TinyPipeline.PictureAsync(model, "a cat", options), await TinyPipeline.PictureAsync(model, "a cat", options with { Temperature = 0 }));
    }

    [Fact]
    public async Task Generate_FlowTok_FlowsFromTheText()
    {
        _pipeline.Part("", "flowtok/tiny");
        await using var model = await _pipeline.OpenAsync(FlowTokModel.Architecture);
        var options = new FlowTokOptions { Steps = 4, PreviewEvery = 2 };
        var steps = await StepsAsync(Wave(6, 12), options);
        Assert.Equal([2, 4], steps.Where(step => step.Result is not null).Select(step => step.Step));
        var picture = steps[^1].Result!.Pixels.Span.ToArray();
        Assert.Equal((3, 16, 16), (steps[^1].Result!.Channels, steps[^1].Result!.Height, steps[^1].Result!.Width));
        Assert.Equal(picture, await OfAsync(options));
        Assert.NotEqual(picture, await OfAsync(options, seed: 2));
        // Without variation the text alone says what is seen.
        Assert.Equal(await OfAsync(options with { Variation = 0 }), await OfAsync(options with { Variation = 0 }, seed: 2));
        Assert.All((await OfAsync(options with { Guidance = 1 })).Zip(await OfAsync(options with { Guidance = 1 + 1e-9 })), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
        var pair = (await StepsAsync(Wave(6, 12), options with { Count = 2 }))[^1].Result!.Pixels;
        for (var x = 0; x < 16; x++) Assert.Equal(steps[^1].Result!.Pixels[1, 3, x], pair[1, 3, x], 1e-4f);
        await Assert.ThrowsAsync<MediaException>(() => StepsAsync(Wave(5, 12), options));
        var error = await Assert.ThrowsAsync<MediaException>(() => GenerateAsync(new("a cat"), options, 1, default));
        Assert.Contains("text_encoder", error.Remedy, StringComparison.Ordinal);
        using var source = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => GenerateAsync(new(null, [new NamedTensors(new Dictionary<string, Tensor> { ["text_features"] = Wave(6, 12) })]), options, 1, source.Token, source));

        Task<List<Generation<Image>>> StepsAsync(Tensor<float> features, FlowTokOptions chosen, ulong seed = 1) => GenerateAsync(new(null, [new NamedTensors(new Dictionary<string, Tensor> { ["text_features"] = features })]), chosen, seed, default);

        async Task<float[]> OfAsync(FlowTokOptions chosen, ulong seed = 1) => (await StepsAsync(Wave(6, 12), chosen, seed))[^1].Result!.Pixels.Span.ToArray();

        async Task<List<Generation<Image>>> GenerateAsync(Prompt prompt, FlowTokOptions chosen, ulong seed, CancellationToken cancel, CancellationTokenSource? stop = null)
        {
            var all = new List<Generation<Image>>();
            await foreach (var step in model.Get<IGenerate>().GenerateAsync(prompt, chosen, seed, cancel))
            {
                all.Add((Generation<Image>)step);
                if (stop is not null) await stop.CancelAsync();
            }

            return all;
        }
    }

    [Fact]
    public async Task Generate_FlowTok_ReadsWords()
    {
        _pipeline.Part("", "flowtok/tiny");
        TinyParts.Clip(_pipeline.At("text_encoder"), 12, positions: 6);
        TinyParts.ClipTokenizer(_pipeline.At("tokenizer"));
        await using var model = await _pipeline.OpenAsync(FlowTokModel.Architecture);
        Assert.NotEqual(await PictureAsync("a cat"), await PictureAsync("dogs"));

        async Task<float[]> PictureAsync(string text)
        {
            Image? last = null;
            await foreach (var step in model.Get<IGenerate>().GenerateAsync(new(text), new FlowTokOptions { Steps = 2 }, 1)) last = step.Value as Image ?? last;
            return last!.Pixels.Span.ToArray();
        }
    }

    private static Tensor<float> Wave(int tokens, int width, float scale = 1)
    {
        var features = Tensor.Zeros<float>(1, tokens, width);
        for (var i = 0; i < features.Length; i++) features.Span[i] = scale * MathF.Sin(i);
        return features;
    }
}
