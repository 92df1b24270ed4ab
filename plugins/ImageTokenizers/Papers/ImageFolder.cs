// ImageFolder: Autoregressive Image Generation with Folded Tokens. Li, Qiu, Chen, Kuen, Gu, Raj, Lin. arXiv:2410.01756. github.com/lxa9867/ImageFolder
// Robust Latent Matters: Boosting Image Generation with Sampling Error Synthesis (RobustTok). Qiu, Li, Kuen, Chen, Xu, Gu, Luo, Raj, Lin, Savvides. arXiv:2503.08354. Same repository.
// Published layout: *.pt (key model) + config (yaml as config.json). Deviations: none; the convolutional encoder and decoder of the same code are not here.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>ImageFolder: two token maps, one of meaning and one of detail, folded onto each other.</summary>
public static class ImageFolderModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/imagefolder",
            Paper = "ImageFolder: Autoregressive Image Generation with Folded Tokens",
            ArXiv = "2410.01756",
            Authors = ["Xiang Li", "Kai Qiu", "Hao Chen", "Jason Kuen", "Jiuxiang Gu", "Bhiksha Raj", "Zhe Lin"],
            Repository = "lxa9867/ImageFolder",
            CodeLicense = "Adobe Research License (non-commercial)",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: *.pt + config.json"],
            Sizes =
            [
                new("qiuk6/XQ-GAN: MSVR10P2-4096", 172_327_456, []),
                new("qiuk6/XQ-GAN: MSVR10P2-8192", 172_589_600, []),
                new("qiuk6/XQ-GAN: MSVR10P2-16384", 173_113_888, []),
            ],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(ImageFolderConfig config)
    {
        var tokens = config.VPatchNums.Sum(side => side * side);
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>>
            {
                ["encode"] = model => Encode(model, config),
                ["fhat_to_img"] = model => model.Graph.Output("reconstruction", ImageFolderNetwork.Decode(model, model.Graph.Input("f_hat", [TokenizerInputs.Batch, config.ProductQuant * config.CodebookEmbedDim, config.Side, config.Side]), config)),
                ["img_to_reconstructed_img"] = model => Reconstruct(model, config),
                ["decode_codes"] = model => DecodeCodes(model, config, tokens),
            },
            Calls = new Dictionary<string, ReferenceCall> { ["img_to_reconstructed_img"] = ReconstructAsync },
            Preparation = ImagePreparation.SignedRange(config.Fixed.ImgSize, config.Fixed.PatchSize, isFixed: true),
            Layout = config.ProductQuant > 1 ? TokenLayout.Frames : TokenLayout.CoarseToFine,
            VocabularySizes = [.. Enumerable.Repeat(config.CodebookSize, config.ProductQuant)],
            Codebooks = config is { Lfq: true, VPatchNums.Length: > 1 } ? [] : [.. Enumerable.Range(0, config.ProductQuant).Select(branch => config.ProductQuant > 1 ? $"quantizes.{branch}.embedding.weight" : "quantize.embedding.weight")],
            TrainingOnly = [@"ema_vocab_hit_SV$", @"lvl1LC$", @"^(semantic|detail)_model\.", @"^sem_linear\.", @"codebook_used$", MultiScaleQuantizer.Spare],
            Encode = TokenizerPlan.EncodeWith("encode", "image", "code_rows"),
            Decode = TokenizerPlan.DecodeWith("decode_codes", "code_rows", "reconstruction"),
        };
    }

    private static void Encode(Scope model, ImageFolderConfig config)
    {
        var rows = new List<Value>();
        foreach (var (map, branch) in ImageFolderNetwork.Branches(ImageFolderNetwork.Latent(model, config), config).Select((map, branch) => (map, branch)))
        {
            var (codes, sums) = ImageFolderNetwork.Quantize(ImageFolderNetwork.Quantizer(model, branch, config), map, config);
            model.Graph.Output($"codes_{branch}", codes);
            model.Graph.Output($"quantized_{branch}", sums[^1]);
            rows.Add(codes);
        }

        model.Graph.Output("code_rows", ValueShape.Stack(1, [.. rows]));                     // (B, branches, tokens)
    }

    // A picture after each scale.
    private static void Reconstruct(Scope model, ImageFolderConfig config)
    {
        var sums = ImageFolderNetwork.Branches(ImageFolderNetwork.Latent(model, config), config)
            .Select((map, branch) => ImageFolderNetwork.Quantize(ImageFolderNetwork.Quantizer(model, branch, config), map, config).Sums).ToArray();
        for (var scale = 0; scale < config.VPatchNums.Length; scale++)
            model.Graph.Output($"reconstruction_scales_{scale + 1}", ImageFolderNetwork.Decode(model, ValueShape.Concat(1, [.. sums.Select(branch => branch[scale])]), config));
    }

    private static void DecodeCodes(Scope model, ImageFolderConfig config, int tokens)
    {
        var codes = model.Graph.Input("code_rows", ElementType.Int64, [TokenizerInputs.Batch, config.ProductQuant, tokens]);
        var branches = Enumerable.Range(0, config.ProductQuant).Select(branch => ImageFolderNetwork.Entries(ImageFolderNetwork.Quantizer(model, branch, config), codes.At(1, branch), config));
        model.Graph.Output("reconstruction", ImageFolderNetwork.Decode(model, ValueShape.Concat(1, [.. branches]), config));
    }

    private static async ValueTask<CallResults> ReconstructAsync(NetworkSet networks, CallArguments arguments, CancellationToken cancel)
    {
        var lastOnly = arguments.Literal("last_one", false);
        var results = (await networks.RunAsync("img_to_reconstructed_img", cancel, ("image", arguments.Tensor("image"))).ConfigureAwait(false)).ToResults();
        return lastOnly ? new CallResults().Add("reconstruction", (Tensor)results.Values.Last(pair => pair.Key.StartsWith("reconstruction_scales_", StringComparison.Ordinal)).Value) : results;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<ImageFolderConfig>()), copies: ["model"]));
}

/// <summary>RobustTok: ImageFolder's network with one scale, trained on codes that were exchanged for near ones.</summary>
public static class RobustTokModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/robusttok",
            Paper = "Robust Latent Matters: Boosting Image Generation with Sampling Error Synthesis",
            ArXiv = "2503.08354",
            Authors = ["Kai Qiu", "Xiang Li", "Jason Kuen", "Hao Chen", "Xiaohao Xu", "Jiuxiang Gu", "Yinyi Luo", "Bhiksha Raj", "Zhe Lin", "Marios Savvides"],
            Repository = "lxa9867/ImageFolder",
            CodeLicense = "Adobe Research License (non-commercial)",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: *.pt + config.json"],
            Sizes = [new("qiuk6/RobustTok: RobustTok-zero", 172_288_064, [])],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(ImageFolderConfig config)
    {
        var plan = ImageFolderModel.Plan(config);
        return plan with
        {
            Networks = new Dictionary<string, Action<Scope>>(plan.Networks) { ["perturb"] = model => Perturb(model, config) },
            Calls = new Dictionary<string, ReferenceCall>(plan.Calls) { ["add_perturbation"] = (networks, arguments, cancel) => PerturbAsync(networks, arguments, config, cancel) },
        };
    }

    // The entry of a given rank by nearness, at each place.
    private static void Perturb(Scope model, ImageFolderConfig config)
    {
        var z = ImageFolderNetwork.Latent(model, config).ChannelsLast();
        var table = ImageFolderNetwork.Normalized(model["quantize"], config);
        var rows = (config.CodebookL2Norm ? z.L2Normalize() : z).Reshape(z.Shape[0], config.NumLatentTokens, config.CodebookEmbedDim);
        var distances = rows.Square().Sum(-1, keep: true) + table.Square().Sum(-1) - rows.MatMul(table.Swap(0, 1)) * 2;
        var ranks = model.Graph.Input("ranks", ElementType.Int64, [TokenizerInputs.Batch, config.NumLatentTokens]);
        var codes = distances.TopK(config.CodebookSize, largest: false).Indices.GatherElements(ranks.Unsqueeze(-1), -1).Squeeze(-1);
        model.Graph.Output("perturbed", table.Gather(codes.Reshape(z.Shape[0], config.Side, config.Side)).ChannelsFirst());
    }

    private static async ValueTask<CallResults> PerturbAsync(NetworkSet networks, CallArguments arguments, ImageFolderConfig config, CancellationToken cancel)
    {
        var (uniform, neighbour, image) = (arguments.Tensor<float>("uniform"), arguments.Tensor<long>("neighbour"), arguments.Tensor<float>("image"));
        var (alpha, delta) = (arguments.Literal<double>("alpha"), arguments.Literal<long>("delta"));
        var ranks = Tensor.Zeros<long>(image.Shape[0], config.NumLatentTokens);
        var perturbed = (int)(arguments.Literal<double>("beta") * image.Shape[0]) * config.NumLatentTokens;
        for (var i = 0; i < perturbed; i++) ranks.Span[i] = uniform.Span[i] <= (float)alpha ? Math.Min(neighbour.Span[i], delta - 1) : 0;
        return (await networks.RunAsync("perturb", cancel, ("image", image), ("ranks", ranks)).ConfigureAwait(false)).ToResults();
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<ImageFolderConfig>()), copies: ["model"]));
}
