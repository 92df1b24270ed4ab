// GigaTok: Scaling Visual Tokenizers to 3 Billion Parameters for Autoregressive Image Generation. Xiong, Liew, Huang, Feng, Liu. arXiv:2504.08736. github.com/SilentView/GigaTok
// Improving Flexible Image Tokenizers for Autoregressive Image Generation (ReTok). Fu, Guo, Wang, Song, Liu, Wen. arXiv:2601.01535. github.com/zfu006/ReTok
// Published layout of both: *.pt (key model) + config (yaml as config.json). Deviations: none; rotary positions, qk-norm and shortcuts around changes of size are not here.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>GigaTok: tokens gathered by a large transformer, as a sequence or as a grid.</summary>
public static class GigaTokModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/gigatok",
            Paper = "GigaTok: Scaling Visual Tokenizers to 3 Billion Parameters for Autoregressive Image Generation",
            ArXiv = "2504.08736",
            Authors = ["Tianwei Xiong", "Jun Hao Liew", "Zilong Huang", "Jiashi Feng", "Xihui Liu"],
            Repository = "SilentView/GigaTok",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: *.pt + config"],
            Sizes = [new("YuuTennYi/GigaTok: VQ_SS256", 129_252_619, []), new("YuuTennYi/GigaTok: VQ_SB256", 218_236_939, []), new("YuuTennYi/GigaTok: VQ_BL256", 597_510_923, []), new("YuuTennYi/GigaTok: VQ_XLXXL256", 2_842_052_875, [])],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(GigaTokConfig config, GigaTokFixed sizes)
    {
        var network = new GigaTokNetwork(config, sizes);
        var prefixes = !network.IsGrid && !config.LastLevel2dQueryInit && !config.MultiLevel2dQueryInit;
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>>
            {
                ["encode"] = model => Encode(model, network, config, sizes),
                ["decode_code"] = model => Decode(model, network, network.Tokens, sizes.NumImportantTokens is null ? null : config.NumLatentTokens),
                ["decode_prefix"] = model => Decode(model, network, prefixes ? Dim.Symbol("tokens") : network.Tokens, null),
            },
            Calls = new Dictionary<string, ReferenceCall> { ["decode_code"] = DecodeCodeAsync },
            Preparation = ImagePreparation.SignedRange(sizes.ImageSize, sizes.ImageSize, isFixed: true),
            Layout = sizes.NumImportantTokens is null ? TokenLayout.Flat : TokenLayout.CoarseToFine,
            VocabularySizes = [config.CodebookSize],
            Codebooks = ["quantize.embedding.weight"],
            PrefixTokens = sizes.NumImportantTokens is null ? null : network.Tokens,
            TrainingOnly = [@"\.distill_mlp\.", @"codebook_used$", @"^distill_mlp\."],
            Encode = TokenizerPlan.EncodeWith("encode", "image", "codes"),
            Decode = async (networks, codes, _, cancel) =>
                (await networks.RunAsync(codes.Shape[1] == network.Tokens ? "decode_code" : "decode_prefix", cancel, ("codes", codes)).ConfigureAwait(false))["reconstruction"],
        };
    }

    private static void Encode(Scope model, GigaTokNetwork network, GigaTokConfig config, GigaTokFixed sizes)
    {
        var latent = network.Latent(model, model.Graph.Input("image", [TokenizerInputs.Batch, 3, sizes.ImageSize, sizes.ImageSize]));
        var (z, table) = (latent.ChannelsLast(), network.Table(model));
        var codes = VectorQuantization.Nearest(config.CodebookL2Norm ? z.L2Normalize() : z, table);
        model.Graph.Output("quantized", table.Gather(codes).ChannelsFirst());
        model.Graph.Output("codes", codes.Flatten(1));
    }

    private static void Decode(Scope model, GigaTokNetwork network, Dim tokens, int? seen)
    {
        var codes = model.Graph.Input("codes", ElementType.Int64, [TokenizerInputs.Batch, tokens]);
        var side = network.IsGrid ? (int)Math.Sqrt(network.Tokens) : 1;
        var map = network.IsGrid ? codes.Reshape(codes.Shape[0], side, side) : codes.Unsqueeze(1);
        model.Graph.Output("reconstruction", network.Decode(model, network.Table(model).Gather(map).ChannelsFirst(), seen));
    }

    // The shape that the authors' code asks for is that of the tokens; with a number of tokens, results are named after it.
    private static async ValueTask<CallResults> DecodeCodeAsync(NetworkSet networks, CallArguments arguments, CancellationToken cancel)
    {
        var codes = arguments.Tensor<long>("codes");
        _ = arguments.Has("shape");
        if (!arguments.Has("num_tokens")) return (await networks.RunAsync("decode_code", cancel, ("codes", codes)).ConfigureAwait(false)).ToResults();
        var count = Math.Min(arguments.Literal<int>("num_tokens"), (int)codes.Shape[1]);
        var prefix = Tensor.Zeros<long>(codes.Shape[0], count);
        for (var sample = 0; sample < codes.Shape[0]; sample++) codes.Slice(sample).Span[..count].CopyTo(prefix.Slice(sample).Span);
        return new CallResults().Add($"reconstruction_{count}", (await networks.RunAsync("decode_prefix", cancel, ("codes", prefix)).ConfigureAwait(false))["reconstruction"]);
    }

    internal static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var json = PublishedConfig.ReadJson(source.RequireFolder());
        var sizes = json["fixed"] is null ? new GigaTokFixed() : source.ReadConfig<GigaTokFixed>("fixed");
        sizes = sizes with { ModelClass = json["model"]?["model_cls"]?.GetValue<string>() ?? sizes.ModelClass };
        return ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<GigaTokConfig>("model.init_args"), sizes), copies: ["model"]));
    }
}

/// <summary>ReTok: GigaTok with redundant tokens, so that any prefix of the important ones decodes.</summary>
public static class ReTokModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/retok-flexible",
            Paper = "Improving Flexible Image Tokenizers for Autoregressive Image Generation",
            ArXiv = "2601.01535",
            Authors = ["Zixuan Fu", "Lanqing Guo", "Chong Wang", "Binbin Song", "Ding Liu", "Bihan Wen"],
            Repository = "zfu006/ReTok",
            CodeLicense = "none stated",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: *.pt + config"],
            Sizes =
            [
                new("zfu006/ReTok: VQ_SS256", 129_252_619, []),
                new("zfu006/ReTok: VQ_SB256", 218_236_939, []),
            ],
        },
        GigaTokModel.OpenAsync);
}
