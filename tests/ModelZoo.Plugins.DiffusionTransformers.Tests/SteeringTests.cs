using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Plugins.DiffusionTransformers.Clear;
using ModelZoo.Plugins.DiffusionTransformers.ConceptSteerers;
using ModelZoo.Plugins.DiffusionTransformers.DeltaDiT;
using ModelZoo.Plugins.DiffusionTransformers.DiscriminativeTokens;
using ModelZoo.Plugins.DiffusionTransformers.InContextLora;
using ModelZoo.Plugins.DiffusionTransformers.InterpretDiffusion;
using ModelZoo.Plugins.DiffusionTransformers.LatexBlend;
using ModelZoo.Plugins.DiffusionTransformers.Rin;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.TokenCompose;
using ModelZoo.Plugins.DiffusionTransformers.TokenMerging;
using ModelZoo.Plugins.DiffusionTransformers.TokenVerse;
using ModelZoo.Plugins.DiffusionTransformers.ZipIR;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>Papers that steer, adapt or speed up another model: their method is an option of generation, and without it the picture is the other model's.</summary>
public sealed class SteeringTests : IDisposable
{
    private readonly TinyPipeline _pipeline = new();

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Generate_TokenCompose_KeepsTheLaws()
    {
        _pipeline.StableDiffusion("tokencompose/tiny-a");
        await using var model = await _pipeline.OpenAsync(TokenComposeModel.Architecture);
        await TinyPipeline.KeepsTheLawsAsync(model, new TextOptions { Steps = 3, PreviewEvery = 2 });
    }

    [Fact]
    public async Task Generate_InterpretDiffusion_ConceptsChangeThePicture()
    {
        _pipeline.StableDiffusion("interpretdiffusion/tiny-a", part: "");
        await using var model = await _pipeline.OpenAsync(InterpretDiffusionModel.Architecture);
        await TinyPipeline.KeepsTheLawsAsync(model, new ConceptOptions { Steps = 3, PreviewEvery = 2, Concepts = [1] });
        await ChangesAsync(model, new ConceptOptions { Steps = 3 }, new ConceptOptions { Steps = 3, Concepts = [1] });
        await Assert.ThrowsAsync<OptionsException>(() => TinyPipeline.PictureAsync(model, "a cat", new ConceptOptions { Concepts = new double[100] }));
    }

    [Fact]
    public async Task Generate_TokenMerging_RatioOfNoneIsTheModelItself()
    {
        _pipeline.StableDiffusion("tome-sd/tiny-a");
        await using var model = await _pipeline.OpenAsync(TokenMergingModel.Architecture);
        await TinyPipeline.KeepsTheLawsAsync(model, new MergedTextOptions { Steps = 3, PreviewEvery = 2 });
        await ChangesAsync(model, new MergedTextOptions { Steps = 2, Ratio = 0 }, new MergedTextOptions { Steps = 2 });
        await using var plain = await _pipeline.OpenAsync(TokenComposeModel.Architecture);
        var expected = await TinyPipeline.PictureAsync(plain, "a cat", new TextOptions { Steps = 2 });
        Assert.All(expected.Zip(await TinyPipeline.PictureAsync(model, "a cat", new MergedTextOptions { Steps = 2, Ratio = 0 })), pair => Assert.Equal(pair.First, pair.Second, 4));
    }

    [Fact]
    public async Task Generate_ConceptSteerers_StrengthChangesThePicture()
    {
        // The case's text encoder has a width of 24 and a vocabulary of 60, whose last word ends texts.
        _pipeline.StableDiffusion("tokencompose/tiny-a");
        foreach (var part in (string[])["final", "text_encoder"]) _pipeline.Part(part, "concept-steerers/tiny-a", part);
        TinyParts.ClipTokenizer(_pipeline.At("tokenizer"), "abcdefghijklmnopqrstuvwxyz.,!");
        _pipeline.Write("unet", File.ReadAllText(Path.Combine(_pipeline.At("unet"), "config.json")).Replace("\"cross_attention_dim\": 12", "\"cross_attention_dim\": 24", StringComparison.Ordinal));
        var config = PublishedConfig.Read<UNetConfig>(_pipeline.At("unet")).Value;
        TinyParts.Weights(Path.Combine(_pipeline.At("unet"), "diffusion_pytorch_model.safetensors"), Network.Inventory(scope => UNet.UNet.Declare(scope, config, 8, 8)));
        await using var model = await _pipeline.OpenAsync(ConceptSteerersModel.Architecture);
        await TinyPipeline.KeepsTheLawsAsync(model, new SteeredOptions { Steps = 3, PreviewEvery = 2, Concept = "nudity", Strength = -1 });
        await ChangesAsync(model, new SteeredOptions { Steps = 2, Concept = "nudity" }, new SteeredOptions { Steps = 2, Concept = "nudity", Strength = -1 });
        await Assert.ThrowsAsync<OptionsException>(() => TinyPipeline.PictureAsync(model, "a cat", new SteeredOptions { Layer = 9 }));
    }

    [Fact]
    public async Task Generate_Clear_WindowChangesThePictureAndALargeOneIsFlux()
    {
        _pipeline.Flux("clear/tiny-down", part: "", width: 4, whole: 10);
        _pipeline.Vae(2);
        await using var model = await _pipeline.OpenAsync(ClearModel.Architecture);
        var options = new ClearOptions { Steps = 3, PreviewEvery = 2, Height = 64, Width = 64, TrueGuidance = 2 };
        await TinyPipeline.KeepsTheLawsAsync(model, options);
        await ChangesAsync(model, options with { WindowSize = 2 }, options with { WindowSize = 100 });
    }

    [Fact]
    public async Task Generate_InContextLora_GivenPanelsComeOutAsTheyWentIn()
    {
        _pipeline.Flux("in-context-lora/tiny-a", part: "", width: 14, whole: 10);
        _pipeline.Vae(2);
        await using var model = await _pipeline.OpenAsync(InContextLoraModel.Architecture);
        var options = new PanelOptions { Steps = 3, PreviewEvery = 2, Height = 32, Width = 64, TextLength = 12, TrueGuidance = 2 };
        await TinyPipeline.KeepsTheLawsAsync(model, options);
        await ChangesAsync(model, options with { LoraScale = 0 }, options);

        // All panels given: only what the autoencoder makes of the picture is left of it, whatever the seed and the words.
        var pixels = Tensor.Zeros<float>(3, 32, 64);
        for (var i = 0; i < pixels.Length; i++) pixels.Span[i] = i % 7 / 7f;
        var all = options with { Known = [0, 1] };
        var first = (await TinyPipeline.GenerateAsync(model, new("a cat", [new Image(pixels)]), all, seed: 1))[^1].Result!.Pixels.Span.ToArray();
        Assert.Equal(first, (await TinyPipeline.GenerateAsync(model, new("a dog", [new Image(pixels)]), all, seed: 2))[^1].Result!.Pixels.Span.ToArray());
        var half = (await TinyPipeline.GenerateAsync(model, new("a cat", [new Image(pixels)]), options, seed: 1))[^1].Result!.Pixels;
        Assert.NotEqual(first, half.Span.ToArray());
        await Assert.ThrowsAsync<MediaException>(() => TinyPipeline.GenerateAsync(model, new("a cat", [new Image(pixels)]), options with { Width = 32 }));
    }

    [Fact]
    public async Task Generate_TokenVerse_ConceptsBindToTheirWords()
    {
        _pipeline.Flux("tokenverse/tiny", part: "", width: 12, whole: 10);
        _pipeline.Vae(2);
        await using var model = await _pipeline.OpenAsync(TokenVerseModel.Architecture);
        var options = new ConceptWordsOptions { Steps = 3, PreviewEvery = 2, Height = 32, Width = 32, TextLength = 12, TrueGuidance = 2 };
        await TinyPipeline.KeepsTheLawsAsync(model, options);
        Assert.NotEqual(await TinyPipeline.PictureAsync(model, "a small cat", options), await TinyPipeline.PictureAsync(model, "a small cat", options with { Words = ["cat"] }));
        Assert.Equal(await TinyPipeline.PictureAsync(model, "a small cat", options), await TinyPipeline.PictureAsync(model, "a small cat", options with { Words = ["cat"], Strengths = [0] }));
        await Assert.ThrowsAsync<OptionsException>(() => TinyPipeline.PictureAsync(model, "a small cat", options with { Words = ["house"] }));
    }

    [Fact]
    public async Task Generate_DeltaDiT_FullRunsAreDiT()
    {
        TinyParts.Copy(_pipeline.Folder, "tests/parity/diffusion-transformers/delta-dit/tiny/checkpoint");
        _pipeline.Vae(4);
        await using var model = await _pipeline.OpenAsync(DeltaDiTModel.Architecture);
        await using var dit = await _pipeline.OpenAsync(DiT.DiTModel.Architecture);
        var whole = await PictureAsync(model, new CachedOptions { Steps = 6, CacheInterval = 1 });
        Assert.All(whole.Zip(await PictureAsync(dit, new ClassOptions { Steps = 6 })), pair => Assert.Equal(pair.First, pair.Second, 4));
        Assert.NotEqual(whole, await PictureAsync(model, new CachedOptions { Steps = 6, CacheInterval = 3 }));
        Assert.Equal(await PictureAsync(model, new CachedOptions { Steps = 6 }), await PictureAsync(model, new CachedOptions { Steps = 6 }));
    }

    [Fact]
    public async Task Generate_LatexBlend_BanksTakeThePlaceOfTheirWords()
    {
        _pipeline.StableDiffusionXL("latexblend/tiny-a", part: "");
        await using var model = await _pipeline.OpenAsync(LatexBlendModel.Architecture);
        // The tokenizer has a token a letter, and each of the case's banks two tokens.
        var options = new BlendOptions { Steps = 3, PreviewEvery = 2, Words = ["al"] };
        Assert.NotEqual(await TinyPipeline.PictureAsync(model, "a small cat al", options), await TinyPipeline.PictureAsync(model, "a small cat al", options with { Words = [] }));
        Assert.NotEqual(await TinyPipeline.PictureAsync(model, "a small cat al", options), await TinyPipeline.PictureAsync(model, "a small cat al", options with { Guidance = 1 }));
        Assert.Equal(await TinyPipeline.PictureAsync(model, "a small cat al", options with { BlendingStart = 0 }), await TinyPipeline.PictureAsync(model, "a small cat al", options with { Words = [] }));
        await Assert.ThrowsAsync<OptionsException>(() => TinyPipeline.PictureAsync(model, "a small cat", options with { Words = ["dog"] }));
        await TinyPipeline.KeepsTheLawsAsync(model, options with { Words = [] });
    }

    [Fact]
    public async Task Generate_DiscriminativeTokens_TheLearnedWordIsRead()
    {
        foreach (var part in (string[])["", "classifier", "scheduler", "text_encoder", "unet", "vae"]) _pipeline.Part(part, "discriminative-class-tokens/tiny-a", part);
        TinyParts.ClipTokenizer(_pipeline.At("tokenizer"), "abcdefghijklmnopqrstu.");
        await using var model = await _pipeline.OpenAsync(DiscriminativeTokensModel.Architecture);
        var options = new TextOptions { Steps = 3, PreviewEvery = 2 };
        Assert.NotEqual(await TinyPipeline.PictureAsync(model, "a <*> cat", options), await TinyPipeline.PictureAsync(model, "a cat", options));
        Assert.Equal(await TinyPipeline.PictureAsync(model, "a <*> cat", options), await TinyPipeline.PictureAsync(model, "a <*> cat", options));
    }

    [Fact]
    public async Task Generate_ZipIR_RestoresAPictureOfItsSize()
    {
        TinyParts.Copy(_pipeline.Folder, "tests/parity/diffusion-transformers/zipir/tiny/checkpoint");
        await using var model = await _pipeline.OpenAsync(ZipIRModel.Architecture);
        var pixels = Tensor.Zeros<float>(3, 16, 24);
        for (var i = 0; i < pixels.Length; i++) pixels.Span[i] = i % 7 / 7f;
        var options = new RestoreOptions { Steps = 3, PreviewEvery = 2 };
        var first = await RestoreAsync(model, pixels, options, 1);
        Assert.Equal([3, 16, 24], first.Shape.ToArray());
        Assert.Equal(first.Span.ToArray(), (await RestoreAsync(model, pixels, options, 1)).Span.ToArray());
        Assert.NotEqual(first.Span.ToArray(), (await RestoreAsync(model, pixels, options, 2)).Span.ToArray());
        Assert.NotEqual(first.Span.ToArray(), (await RestoreAsync(model, Tensor.Zeros<float>(3, 16, 24), options, 1)).Span.ToArray());
        await Assert.ThrowsAsync<MediaException>(() => RestoreAsync(model, Tensor.Zeros<float>(3, 15, 24), options, 1));
    }

    [Fact]
    public async Task Generate_AutoencoderIsMissing_SaysSoBeforeTheFirstStep()
    {
        _pipeline.StableDiffusion("unet2d-condition/sd15-a");
        Directory.Delete(_pipeline.At("vae"), recursive: true);
        await using var model = await _pipeline.OpenAsync(UNet.UNetModel.Architecture);
        var seen = 0;
        await Assert.ThrowsAsync<CheckpointException>(async () =>
        {
            await foreach (var step in model.Get<IGenerate>().GenerateAsync(new("a cat"), new TextOptions { Steps = 2 }, 1)) seen = step.Step;
        });
        Assert.Equal(0, seen);
    }

    [Theory]
    [InlineData("ddpm")]
    [InlineData("ddpm@small")]
    [InlineData("ddim")]
    public async Task Generate_Rin_SeedClassAndBatch(string method)
    {
        TinyParts.Copy(_pipeline.Folder, "tests/parity/diffusion-transformers/rin/tiny-a/checkpoint");
        await using var model = await _pipeline.OpenAsync(RinModel.Architecture);
        var options = new RinOptions { Steps = 5, Method = method, Guidance = 1.5 };
        var one = await LastAsync(model, "1", options);
        Assert.Equal([3, 8, 8], one.Shape.ToArray());
        Assert.Equal(one.Span.ToArray(), (await LastAsync(model, "1", options)).Span.ToArray());
        Assert.NotEqual(one.Span.ToArray(), (await LastAsync(model, "0", options)).Span.ToArray());
        var pair = await LastAsync(model, "1,0", options);
        for (var x = 0; x < 8; x++) Assert.Equal(one[1, 3, x], pair[1, 3, x], 4);
    }

    private static async Task<Tensor<float>> RestoreAsync(IModel model, Tensor<float> pixels, RestoreOptions options, ulong seed)
    {
        Image? last = null;
        await foreach (var step in model.Get<IGenerate>().GenerateAsync(new(null, [new Image(pixels)]), options, seed)) last = step.Value as Image ?? last;
        return last!.Pixels;
    }

    private static async Task<float[]> PictureAsync(IModel model, ClassOptions options) => (await LastAsync(model, "1", options)).Span.ToArray();

    private static async Task<Tensor<float>> LastAsync(IModel model, string prompt, ModelOptions options)
    {
        Image? last = null;
        await foreach (var step in model.Get<IGenerate>().GenerateAsync(new(prompt), options, 3)) last = step.Value as Image ?? last;
        return last!.Pixels;
    }

    private static async Task ChangesAsync(IModel model, TextOptions without, TextOptions with) => Assert.NotEqual(await TinyPipeline.PictureAsync(model, "a cat", without), await TinyPipeline.PictureAsync(model, "a cat", with));
}
