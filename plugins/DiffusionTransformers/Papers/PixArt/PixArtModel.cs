using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.PixArt;

/// <summary>PixArt-alpha and PixArt-Sigma: words to pictures by a diffusion transformer with cross-attention.</summary>
public static class PixArtModel
{
    // Tokens of a text that the models were trained with.
    private const int AlphaTextLength = 120, SigmaTextLength = 300;

    /// <summary>Card and opening of PixArt-alpha.</summary>
    public static ModelArchitecture Alpha { get; } = new(
        new()
        {
            Id = "diffusion-transformers/pixart-alpha",
            Paper = "PixArt-α: Fast Training of Diffusion Transformer for Photorealistic Text-to-Image Synthesis",
            ArXiv = "2310.00426",
            Authors = ["Junsong Chen", "Jincheng Yu", "Chongjian Ge", "Lewei Yao", "Enze Xie", "Yue Wu", "Zhongdao Wang", "James Kwok", "Ping Luo", "Huchuan Lu", "Zhenguo Li"],
            Repository = "PixArt-alpha/PixArt-alpha",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "OpenRAIL++",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: PixArt-XL-2-*-MS.pth (with config.json for other constructor arguments than published), alone or with text_encoder, tokenizer and vae beside it", "diffusers: PixArtTransformer2DModel, alone or in a pipeline's folder"],
            Sizes = [new("PixArt-alpha/PixArt-XL-2-512x512: transformer", 610_856_096, []), new("PixArt-alpha/PixArt-XL-2-1024-MS: transformer", 611_349_152, [])],
        },
        (source, _) => OpenAsync(source, AlphaTextLength, spreads: false));

    /// <summary>Card and opening of PixArt-Sigma.</summary>
    public static ModelArchitecture Sigma { get; } = new(
        new()
        {
            Id = "diffusion-transformers/pixart-sigma",
            Paper = "PixArt-Σ: Weak-to-Strong Training of Diffusion Transformer for 4K Text-to-Image Generation",
            ArXiv = "2403.04692",
            Authors = ["Junsong Chen", "Chongjian Ge", "Enze Xie", "Yue Wu", "Lewei Yao", "Xiaozhe Ren", "Zhongdao Wang", "Ping Luo", "Huchuan Lu", "Zhenguo Li"],
            Repository = "PixArt-alpha/PixArt-sigma",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "OpenRAIL++",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: PixArt-Sigma-XL-2-*-MS.pth (with config.json for other constructor arguments than published), alone or with text_encoder, tokenizer and vae beside it", "diffusers: PixArtTransformer2DModel, alone or in a pipeline's folder"],
            Sizes = [new("PixArt-alpha/PixArt-Sigma-XL-2-1024-MS: transformer", 610_856_096, [])],
        },
        (source, _) => OpenAsync(source, SigmaTextLength, spreads: true));

    private static ValueTask<IModel> OpenAsync(ModelSource folder, int textLength, bool spreads)
    {
        var pipeline = new PipelineFolder(folder);
        var source = pipeline.Denoiser("transformer");
        var diffusers = HasConfig(source) && PublishedConfig.ReadJson(source.RequireFolder()).ContainsKey("_class_name");
        return Weights.Guarded(source.OpenCheckpoint("state_dict_ema", "state_dict"), checkpoint =>
        {
            var (network, texts) = diffusers ? Diffusers(source, checkpoint, textLength) : Authors(source, checkpoint, spreads);
            return PublishedModel.Generating([checkpoint], [network], (call, arguments, token) => call == "forward" ? network.ForwardAsync(arguments, token) : throw Calls.Unknown(call, "forward"), texts.Of(pipeline, network.PredictAsync)?.Open(pipeline));
        });
    }

    private static bool HasConfig(ModelSource source) => File.Exists(Path.Combine(source.RequireFolder(), "config.json"));

    private static (TextNetwork, MaskedText) Authors(ModelSource source, Checkpoint checkpoint, bool spreads)
    {
        var config = HasConfig(source) ? PublishedConfig.Read<PixArtConfig>(source.RequireFolder()).Value : PublishedPixArt.Config(checkpoint.Tensors, spreads);
        var sizes = config.MicroCondition ?? checkpoint.Tensors.Any(tensor => tensor.Name.StartsWith("csize_embedder.", StringComparison.Ordinal));
        return (new(NetworkContext.Of(source, checkpoint), "pixart", "noise_and_variance", PixArtNetwork.Conditions(config, sizes), (scope, inputs) => PixArtNetwork.Build(scope, inputs, config)),
            new(config.InChannels, config.InputSize, config.PatchSize, IsFlow: false) { TextLength = config.ModelMaxLength, Scheduler = Solver, Vectors = Sizes(sizes, PixArtNetwork.Resolution, PixArtNetwork.AspectRatio) });
    }

    private static (TextNetwork, MaskedText) Diffusers(ModelSource source, Checkpoint checkpoint, int textLength)
    {
        var config = PublishedConfig.Read<DiffusersPixArtConfig>(source.RequireFolder()).Value;
        return (new(NetworkContext.Of(source, checkpoint), "pixart", "noise_and_variance", DiffusersPixArtNetwork.Conditions(config), (scope, inputs) => DiffusersPixArtNetwork.Build(scope, inputs, config)),
            new(config.InChannels, config.SampleSize, config.PatchSize, IsFlow: false) { TextLength = textLength, Scheduler = Solver, Vectors = Sizes(config.SizeConditions, DiffusersPixArtNetwork.Resolution, DiffusersPixArtNetwork.AspectRatio) });
    }

    private static Dictionary<string, Func<int, int, float[]>> Sizes(bool told, string resolution, string aspectRatio) =>
        told ? new() { [resolution] = (height, width) => [height, width], [aspectRatio] = (height, width) => [height / (float)width] } : [];

    // What the authors' scripts sample with.
    private static PublishedScheduler Solver { get; } = new("""{"_class_name": "DPMSolverMultistepScheduler", "num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", "solver_order": 2, "algorithm_type": "dpmsolver++"}""", "scheduler_config.json");
}
