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
            Layouts = ["authors: PixArt-XL-2-*-MS.pth + config.json (constructor arguments)", "diffusers: PixArtTransformer2DModel, alone or in a pipeline's folder"],
            Sizes = [new("PixArt-alpha/PixArt-XL-2-512x512: transformer", 610_856_096, []), new("PixArt-alpha/PixArt-XL-2-1024-MS: transformer", 611_349_152, [])],
        },
        (source, _) => OpenAsync(source, AlphaTextLength));

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
            Layouts = ["authors: PixArt-Sigma-XL-2-*-MS.pth + config.json (constructor arguments)", "diffusers: PixArtTransformer2DModel, alone or in a pipeline's folder"],
            Sizes = [new("PixArt-alpha/PixArt-Sigma-XL-2-1024-MS: transformer", 610_856_096, [])],
        },
        (source, _) => OpenAsync(source, SigmaTextLength));

    private static ValueTask<IModel> OpenAsync(ModelSource folder, int textLength)
    {
        var pipeline = new PipelineFolder(folder);
        var source = pipeline.Denoiser("transformer");
        var diffusers = PublishedConfig.ReadJson(source.RequireFolder()).ContainsKey("_class_name");
        return Weights.Guarded(Weights.Open(source, "state_dict_ema", "state_dict"), checkpoint =>
        {
            var network = diffusers ? Diffusers(source, checkpoint) : Authors(source, checkpoint);
            var generator = diffusers ? Texts(source, textLength).Open(pipeline, network) : null;
            return PublishedModel.Generating([checkpoint], [network], (call, arguments, token) => call == "forward" ? network.ForwardAsync(arguments, token) : throw Calls.Unknown(call, "forward"), generator);
        });
    }

    private static MaskedText Texts(ModelSource source, int textLength)
    {
        var config = PublishedConfig.Read<DiffusersPixArtConfig>(source.RequireFolder()).Value;
        var vectors = new Dictionary<string, Func<int, int, float[]>>();
        if (config.SizeConditions) (vectors[DiffusersPixArtNetwork.Resolution], vectors[DiffusersPixArtNetwork.AspectRatio]) = ((height, width) => [height, width], (height, width) => [height / (float)width]);
        return new(config.InChannels, config.SampleSize, config.PatchSize, IsFlow: false) { TextLength = textLength, Vectors = vectors };
    }

    private static TextNetwork Authors(ModelSource source, Checkpoint checkpoint)
    {
        var config = PublishedConfig.Read<PixArtConfig>(source.RequireFolder()).Value;
        var sizes = config.MicroCondition ?? checkpoint.Tensors.Any(tensor => tensor.Name.StartsWith("csize_embedder.", StringComparison.Ordinal));
        return new(NetworkContext.Of(source, checkpoint), "pixart", "noise_and_variance", PixArtNetwork.Conditions(config, sizes), (scope, inputs) => PixArtNetwork.Build(scope, inputs, config));
    }

    private static TextNetwork Diffusers(ModelSource source, Checkpoint checkpoint)
    {
        var config = PublishedConfig.Read<DiffusersPixArtConfig>(source.RequireFolder()).Value;
        return new(NetworkContext.Of(source, checkpoint), "pixart", "noise_and_variance", DiffusersPixArtNetwork.Conditions(config), (scope, inputs) => DiffusersPixArtNetwork.Build(scope, inputs, config));
    }
}
