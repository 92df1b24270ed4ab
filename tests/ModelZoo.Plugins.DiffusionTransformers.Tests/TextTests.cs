using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.PixArt;
using ModelZoo.Plugins.DiffusionTransformers.Sana;
using ModelZoo.Plugins.DiffusionTransformers.SD3;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>Text to picture over a pipeline's published folder: the parts fit together, and the laws of generation hold.</summary>
public sealed class TextTests : IDisposable
{
    private readonly TinyPipeline _pipeline = new();

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Generate_PixArtSigma_GivesPicturesAndKeepsTheLaws()
    {
        WritePixArt();
        await KeepsTheLawsAsync<TextOptions>(PixArtModel.Sigma);
    }

    [Fact]
    public async Task Generate_Sana_GivesPicturesAndKeepsTheLaws()
    {
        WriteSana();
        await KeepsTheLawsAsync<TextOptions>(SanaModel.Architecture);
    }

    [Fact]
    public async Task Generate_StableDiffusion_GivesPicturesAndKeepsTheLaws()
    {
        _pipeline.StableDiffusion("unet2d-condition/sd15-a");
        await KeepsTheLawsAsync<TextOptions>(UNetModel.Architecture);
    }

    [Fact]
    public async Task Generate_StableDiffusionXL_GivesPicturesAndKeepsTheLaws()
    {
        _pipeline.StableDiffusionXL("latexblend/tiny-a");
        await KeepsTheLawsAsync<TextOptions>(UNetModel.Architecture);
    }

    [Fact]
    public async Task Generate_StableDiffusion3_GivesPicturesAndKeepsTheLaws()
    {
        _pipeline.StableDiffusion3("sd3/tiny-35");
        await KeepsTheLawsAsync<TextOptions>(SD3Model.Architecture);
    }

    [Fact]
    public async Task Generate_Flux_GivesPicturesAndKeepsTheLaws()
    {
        _pipeline.Flux("flux/tiny-schnell");
        await KeepsTheLawsAsync(FluxModel.Architecture, new FluxOptions { TextLength = 16, TrueGuidance = 2, Height = 32, Width = 32 });
    }

    [Theory]
    [InlineData(SchedulerKind.Ddim)]
    [InlineData(SchedulerKind.Ddpm)]
    [InlineData(SchedulerKind.Pndm)]
    [InlineData(SchedulerKind.DpmSolver)]
    [InlineData(SchedulerKind.DpmSolverSinglestep)]
    [InlineData(SchedulerKind.Deis)]
    [InlineData(SchedulerKind.UniPc)]
    [InlineData(SchedulerKind.Euler)]
    [InlineData(SchedulerKind.EulerAncestral)]
    [InlineData(SchedulerKind.Heun)]
    [InlineData(SchedulerKind.Lcm)]
    [InlineData(SchedulerKind.Tcd)]
    public async Task Generate_AnyScheduler_TakesThePublishedNoiseLevels(SchedulerKind scheduler)
    {
        _pipeline.StableDiffusion("unet2d-condition/sd15-a");
        await using var model = await _pipeline.OpenAsync(UNetModel.Architecture);
        var picture = await TinyPipeline.PictureAsync(model, "a cat", new TextOptions { Steps = 6, Scheduler = scheduler, PreviewEvery = 0 });
        Assert.All(picture, pixel => Assert.InRange(pixel, 0, 1));
        Assert.NotEqual(picture, await TinyPipeline.PictureAsync(model, "a dog", new TextOptions { Steps = 6, Scheduler = scheduler, PreviewEvery = 0 }));
    }

    [Theory]
    [InlineData(SchedulerKind.Euler)]
    [InlineData(SchedulerKind.Heun)]
    [InlineData(SchedulerKind.DpmSolver)]
    [InlineData(SchedulerKind.UniPc)]
    public async Task Generate_FlowWithAnyScheduler_GivesAPicture(SchedulerKind scheduler)
    {
        _pipeline.StableDiffusion3("sd3/tiny-35");
        await using var model = await _pipeline.OpenAsync(SD3Model.Architecture);
        Assert.All(await TinyPipeline.PictureAsync(model, "a cat", new TextOptions { Steps = 4, Scheduler = scheduler }), pixel => Assert.InRange(pixel, 0, 1));
    }

    [Fact]
    public async Task Open_PartElsewhere_IsTakenFromTheManifestsFolder()
    {
        _pipeline.StableDiffusion("unet2d-condition/sd15-a");
        await using var whole = await _pipeline.OpenAsync(UNetModel.Architecture);
        var expected = await TinyPipeline.PictureAsync(whole, "a cat", new TextOptions { Steps = 2 });
        using var elsewhere = new TemporaryFolder();
        Directory.Move(Path.Combine(_pipeline.Folder, "vae"), Path.Combine(elsewhere.Path, "vae"));
        await using var parted = await _pipeline.OpenAsync(UNetModel.Architecture, $$"""{"vae": "{{elsewhere.Path}}/vae"}""");
        Assert.Equal(expected, await TinyPipeline.PictureAsync(parted, "a cat", new TextOptions { Steps = 2 }));
        await Assert.ThrowsAsync<OptionsException>(() => _pipeline.OpenAsync(UNetModel.Architecture, """{"vae": 3}"""));
    }

    [Fact]
    public async Task Open_PartOfTheIndexIsMissing_SaysWhich()
    {
        _pipeline.StableDiffusion("unet2d-condition/sd15-a");
        File.WriteAllText(Path.Combine(_pipeline.Folder, "model_index.json"), """{"_class_name": "StableDiffusionPipeline", "vae": ["diffusers", "AutoencoderKL"], "safety_checker": [null, null]}""");
        Directory.Delete(Path.Combine(_pipeline.Folder, "vae"), recursive: true);
        var error = await Assert.ThrowsAsync<CheckpointException>(() => _pipeline.OpenAsync(UNetModel.Architecture));
        Assert.Equal("vae", error.Expected);
    }

    [Fact]
    public async Task Open_TransformerAlone_CannotGenerate()
    {
        _pipeline.Part("", "sd3/tiny-35");
        await using var model = await _pipeline.OpenAsync(SD3Model.Architecture);
        Assert.Null(model.Find<IGenerate>());
        Assert.Contains("text_encoder", model.Facts.Lacks, StringComparison.Ordinal);
    }

    private async Task KeepsTheLawsAsync<TOptions>(ModelArchitecture architecture, TOptions? options = null) where TOptions : TextOptions, new()
    {
        await using var model = await _pipeline.OpenAsync(architecture);
        await TinyPipeline.KeepsTheLawsAsync(model, (options ?? new()) with { Steps = 4, PreviewEvery = 2 });
    }

    private void WritePixArt()
    {
        var config = new DiffusersPixArtConfig { NumAttentionHeads = 2, AttentionHeadDim = 8, InChannels = 4, OutChannels = 8, NumLayers = 2, CrossAttentionDim = 16, SampleSize = 8, UseAdditionalConditions = false, CaptionChannels = 12 };
        _pipeline.Write("transformer", """{"_class_name": "PixArtTransformer2DModel", "num_attention_heads": 2, "attention_head_dim": 8, "in_channels": 4, "out_channels": 8, "num_layers": 2, "cross_attention_dim": 16, "sample_size": 8, "use_additional_conditions": false, "caption_channels": 12}""",
            "diffusion_pytorch_model.safetensors", TextNetwork.Inventory(DiffusersPixArtNetwork.Conditions(config), 8, 8, (scope, inputs) => DiffusersPixArtNetwork.Build(scope, inputs, config)));
        TinyParts.T5(_pipeline.At("text_encoder"), 12);
        _pipeline.Write("scheduler", """{"_class_name": "DPMSolverMultistepScheduler", "num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", "solver_order": 2, "prediction_type": "epsilon", "algorithm_type": "dpmsolver++"}""");
        _pipeline.Copy("vae", "tests/parity/image-tokenizers/autoencoder-kl/sd-old-attention-names/checkpoint");
        _pipeline.Copy("tokenizer", "tests/ModelZoo.Networks.Tests/Encoders/tokenizers/unigram-charsmap-a");
    }

    private void WriteSana()
    {
        var config = new SanaConfig { InChannels = 8, OutChannels = 8, NumAttentionHeads = 2, AttentionHeadDim = 8, NumLayers = 2, NumCrossAttentionHeads = 2, CrossAttentionHeadDim = 8, CrossAttentionDim = 16, CaptionChannels = 12, SampleSize = 8 };
        _pipeline.Write("transformer", """{"_class_name": "SanaTransformer2DModel", "in_channels": 8, "out_channels": 8, "num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "num_cross_attention_heads": 2, "cross_attention_head_dim": 8, "cross_attention_dim": 16, "caption_channels": 12, "sample_size": 8}""",
            "diffusion_pytorch_model.safetensors", TextNetwork.Inventory(SanaNetwork.Conditions(config), 8, 8, (scope, inputs) => SanaNetwork.Build(scope, inputs, config)));
        var gemma = new Gemma2Config { VocabSize = 1200, HiddenSize = 12, IntermediateSize = 16, NumHiddenLayers = 2, NumAttentionHeads = 2, NumKeyValueHeads = 1, HeadDim = 4, QueryPreAttnScalar = 4, SlidingWindow = 64 };
        _pipeline.Write("text_encoder", """{"model_type": "gemma2", "vocab_size": 1200, "hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4, "query_pre_attn_scalar": 4, "sliding_window": 64}""", "model.safetensors",
            Network.Inventory(scope => Gemma2.Encode(scope, Ids(scope, "ids"), gemma, Ids(scope, "mask"))));
        _pipeline.Write("scheduler", """{"_class_name": "DPMSolverMultistepScheduler", "num_train_timesteps": 1000, "solver_order": 2, "prediction_type": "flow_prediction", "use_flow_sigmas": true, "flow_shift": 3.0, "algorithm_type": "dpmsolver++"}""");
        _pipeline.Copy("vae", "tests/parity/image-tokenizers/dc-ae/sana-like/checkpoint");
        _pipeline.Copy("tokenizer", "tests/ModelZoo.Networks.Tests/Encoders/tokenizers/bpe-identity-a");
    }

    private static Value Ids(Scope scope, string name) => scope.Graph.Input(name, ElementType.Int64, [1, 16]);
}
