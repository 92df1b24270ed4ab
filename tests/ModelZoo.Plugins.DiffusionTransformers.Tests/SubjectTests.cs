using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;
using ModelZoo.Plugins.DiffusionTransformers.CoCoIns;
using ModelZoo.Plugins.DiffusionTransformers.DatEncoder;
using ModelZoo.Plugins.DiffusionTransformers.LayerTracer;
using ModelZoo.Plugins.DiffusionTransformers.SemanticBinding;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>Papers about the things in a picture: what is said about them, who they are, how they are drawn.</summary>
public sealed class SubjectTests : IDisposable
{
    private readonly TinyPipeline _pipeline = new();

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Generate_SemanticBinding_BindsThingsInTheFirstSteps()
    {
        _pipeline.StableDiffusionXL("tome-semantic-binding/tiny-a", part: "", first: 4, second: 8, whole: 6);
        await using var model = await _pipeline.OpenAsync(SemanticBindingModel.Architecture);
        var plain = new BoundOptions { Steps = 3, PreviewEvery = 2 };
        await TinyPipeline.KeepsTheLawsAsync(model, plain);
        var bound = plain with { Things = ["cat: small"], TokenSteps = 1, AttentionSteps = 1 };
        var steps = await TinyPipeline.GenerateAsync(model, new("a small cat"), bound);
        var picture = steps[^1].Result!.Pixels;
        Assert.Equal(3, steps.Count);
        Assert.All(picture.Span.ToArray(), pixel => Assert.InRange(pixel, 0, 1));
        Assert.Equal(picture.Span.ToArray(), await TinyPipeline.PictureAsync(model, "a small cat", bound));
        Assert.NotEqual(picture.Span.ToArray(), await TinyPipeline.PictureAsync(model, "a small cat", plain));
        Assert.NotEqual(picture.Span.ToArray(), await TinyPipeline.PictureAsync(model, "a small cat", bound with { AttentionSteps = 0 }));
        Assert.NotEqual(picture.Span.ToArray(), await TinyPipeline.PictureAsync(model, "a small cat", bound with { NegativePrompt = "a dog" }));
        var pair = (await TinyPipeline.GenerateAsync(model, new("a small cat"), bound with { Count = 2 }))[^1].Result!.Pixels;
        for (var x = 0; x < picture.Shape[2]; x++) Assert.Equal(picture[1, 5, x], pair[1, 5, x], 1e-4f);
        await Assert.ThrowsAsync<OptionsException>(() => TinyPipeline.PictureAsync(model, "a small cat", bound with { Things = ["dog: small"] }));
        await Assert.ThrowsAsync<OptionsException>(() => TinyPipeline.PictureAsync(model, "a small cat", bound with { Things = ["cat"] }));
    }

    [Fact]
    public void Parse_ThingOfAPrompt_KnowsPlacesAndStandsAlone()
    {
        TinyParts.ClipTokenizer(_pipeline.At("tokenizer"));
        var words = ClipWords.Open(_pipeline.At("tokenizer"));
        // A token a letter, behind the start.
        var before = BoundThing.Parse("cat: red", "a red cat", words);
        Assert.Equal([5, 6, 7], before.Noun);
        Assert.Equal([2, 3, 4], before.Attributes);
        Assert.Equal("a red cat", before.Alone);
        Assert.Equal("a cat on ice", BoundThing.Parse("cat: on ice", "a cat on ice", words).Alone);
    }

    [Fact]
    public async Task Generate_CoCoIns_CodesAreSubjects()
    {
        WriteCoCoIns();
        await using var model = await _pipeline.OpenAsync(CoCoInsModel.Architecture);
        var plain = new SubjectOptions { Steps = 3, PreviewEvery = 2 };
        await TinyPipeline.KeepsTheLawsAsync(model, plain);
        var first = plain with { Subjects = ["cat"], Codes = [0] };
        var picture = await TinyPipeline.PictureAsync(model, "a cat", first);
        Assert.Equal(picture, await TinyPipeline.PictureAsync(model, "a cat", first with { Codes = [] }));
        Assert.NotEqual(picture, await TinyPipeline.PictureAsync(model, "a cat", plain));
        Assert.NotEqual(picture, await TinyPipeline.PictureAsync(model, "a cat", first with { Codes = [1] }));
        await Assert.ThrowsAsync<OptionsException>(() => TinyPipeline.PictureAsync(model, "a cat", first with { Subjects = ["dog"] }));
        await Assert.ThrowsAsync<OptionsException>(() => TinyPipeline.PictureAsync(model, "a cat", first with { Codes = [1, 2] }));
    }

    [Fact]
    public async Task Generate_LayerTracer_PaintsPanelsAndKeepsTheGivenOne()
    {
        _pipeline.Flux("layertracer/tiny-a", part: "", width: 14, whole: 10);
        _pipeline.Vae(16);
        await using var model = await _pipeline.OpenAsync(LayerTracerModel.Architecture);
        var options = new StageOptions { Steps = 3, PreviewEvery = 2, Height = 48, Width = 48, TextLength = 12, TrueGuidance = 2 };
        await TinyPipeline.KeepsTheLawsAsync(model, options);
        Assert.NotEqual(await TinyPipeline.PictureAsync(model, "a cat", options), await TinyPipeline.PictureAsync(model, "a cat", options with { LoraScale = 0 }));
        var drawing = Tensor.Zeros<float>(1, 20, 30);
        drawing.Span.Fill(0.7f);
        var given = await OfAsync(new(drawing), options);
        Assert.NotEqual(await TinyPipeline.PictureAsync(model, "a cat", options), given);
        Assert.NotEqual(given, await OfAsync(new(Tensor.Zeros<float>(1, 20, 30)), options));
        // One panel is the drawing itself until the last step, so that nothing of the noise is left.
        Assert.Equal(await OfAsync(new(drawing), options with { Panels = 1 }, seed: 1), await OfAsync(new(drawing), options with { Panels = 1 }, seed: 2));
        await Assert.ThrowsAsync<OptionsException>(() => OfAsync(new(drawing), options with { Height = 64 }));

        async Task<float[]> OfAsync(Image picture, StageOptions chosen, ulong seed = 1) => (await TinyPipeline.GenerateAsync(model, new("a cat", [picture]), chosen, seed))[^1].Result!.Pixels.Span.ToArray();
    }

    [Fact]
    public async Task Generate_DatEncoder_TheConceptOfAPictureIsAWord()
    {
        _pipeline.Part("", "dat-encoder/tiny");
        _pipeline.Clip("", 6);
        _pipeline.Vae(4);
        TinyParts.Weights(Path.Combine(_pipeline.Folder, "token_embedding.safetensors"), ["weight [514, 6]"]);
        var vision = new ClipVisionConfig { HiddenSize = 8, IntermediateSize = 16, ProjectionDim = 7, NumHiddenLayers = 1, NumAttentionHeads = 2, ImageSize = 8, PatchSize = 4 };
        _pipeline.Write("image_encoder", """{"hidden_size": 8, "intermediate_size": 16, "projection_dim": 7, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 8, "patch_size": 4}""", "model.safetensors",
            Network.Inventory(scope => scope.Graph.Output("feature", ClipVision.Project(scope, ClipVision.Encode(scope, scope.Graph.Input("pixels", [1, 3, 8, 8]), vision).Pooled, 7))));
        await using var model = await _pipeline.OpenAsync(DatEncoderModel.Architecture);
        var options = new ConceptPictureOptions { Steps = 3, PreviewEvery = 2 };
        // Without a picture it is the model that it stands on.
        await TinyPipeline.KeepsTheLawsAsync(model, options);
        var (one, other) = (new Image(Wave(12, 16, 1)), new Image(Wave(12, 16, 2)));
        var picture = await OfAsync("a photo of *", one, options);
        Assert.Equal(picture, await OfAsync("a photo of *", one, options));
        Assert.NotEqual(picture, await OfAsync("a photo of *", other, options));
        Assert.NotEqual(picture, await OfAsync("a photo of *", one, options with { Blend = 1 }));
        Assert.NotEqual(picture, await OfAsync("a photo of *", one, options with { Class = "dog" }));
        var (alone, nearly) = (await OfAsync("a photo of *", one, options with { Guidance = 1 }), await OfAsync("a photo of *", one, options with { Guidance = 1 + 1e-9 }));
        Assert.All(alone.Zip(nearly), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
        await Assert.ThrowsAsync<OptionsException>(() => OfAsync("a photo of a cat", one, options));

        async Task<float[]> OfAsync(string prompt, Image given, ConceptPictureOptions chosen) => (await TinyPipeline.GenerateAsync(model, new(prompt, [given]), chosen))[^1].Result!.Pixels.Span.ToArray();
    }

    private static Tensor<float> Wave(int height, int width, float phase)
    {
        var wave = Tensor.Zeros<float>(3, height, width);
        for (var i = 0; i < wave.Length; i++) wave.Span[i] = 0.5f + 0.4f * MathF.Sin(i * 0.3f * phase);
        return wave;
    }

    // The case's text encoder has a width of 16, twelve positions and a vocabulary of 40.
    private void WriteCoCoIns()
    {
        _pipeline.StableDiffusion("tokencompose/tiny-a");
        Directory.Delete(_pipeline.At("text_encoder"), recursive: true);
        _pipeline.Part("", "cocoins/tiny");
        TinyParts.ClipTokenizer(_pipeline.At("tokenizer"), "asmlctwodgbefhijkn.");
        _pipeline.Write("unet", File.ReadAllText(Path.Combine(_pipeline.At("unet"), "config.json")).Replace("\"cross_attention_dim\": 12", "\"cross_attention_dim\": 16", StringComparison.Ordinal));
        var config = PublishedConfig.Read<Networks.Diffusion.UNetConfig>(_pipeline.At("unet")).Value;
        TinyParts.Weights(Path.Combine(_pipeline.At("unet"), "diffusion_pytorch_model.safetensors"), Network.Inventory(scope => UNet.UNet.Declare(scope, config, 8, 8)));
    }
}
