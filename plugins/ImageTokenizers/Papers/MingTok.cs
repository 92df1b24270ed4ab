// Ming-UniVision: Joint Image Understanding and Generation with a Unified Continuous Tokenizer. Huang et al. arXiv:2510.06590. github.com/inclusionAI/Ming-UniVision: MingTok
// Published layout: config.json + model.safetensors (inclusionAI/MingTok-Vision). Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The published <c>config.json</c>.</summary>
public sealed record MingTokConfig
{
    /// <summary>Picture to latents.</summary>
    public MingTokEncoder LowLevelEncoder { get; init; } = new();
    /// <summary>Latents to features.</summary>
    public MingTokDecoder SemanticDecoder { get; init; } = new();
    /// <summary>Features to pixels.</summary>
    public MingTokDecoder PixelDecoder { get; init; } = new();
    /// <summary>Deviation of latents.</summary>
    public double ScalingFactor { get; init; } = 1;
    /// <summary>Mean of latents.</summary>
    public double Mean { get; init; }
    /// <summary>Width of a head: 64 in the authors' code.</summary>
    [Range(1, 1024)] public int HeadDim { get; init; } = 64;

    /// <summary>Patches along each side.</summary>
    public int Grid => LowLevelEncoder.ImgSize / LowLevelEncoder.PatchSize;
    /// <summary>Pixel patches along each side of a patch.</summary>
    public int Split => SemanticDecoder.PatchSize / PixelDecoder.PatchSize;
}

/// <summary>Sizes of the low-level encoder.</summary>
public sealed record MingTokEncoder
{
    /// <summary>Size of the pictures.</summary>
    [Range(1, 1 << 16)] public int ImgSize { get; init; } = 224;
    /// <summary>Pixels a patch.</summary>
    [Range(1, 1024)] public int PatchSize { get; init; } = 16;
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 24;
    /// <summary>Width.</summary>
    public int EmbedDim { get; init; } = 1024;
    /// <summary>Kind of perceptron.</summary>
    [AllowedValues("swiglufused", "swiglu", "mlp")] public string FfnLayer { get; init; } = "mlp";
    /// <summary>Channels of a latent.</summary>
    public int OutDim { get; init; } = 32;
}

/// <summary>Sizes of a decoder.</summary>
public sealed record MingTokDecoder
{
    /// <summary>Channels of a latent; null where they are as many as the decoder is wide, and enter as they are.</summary>
    public int? InDim { get; init; }
    /// <summary>Pixels a patch.</summary>
    [Range(1, 1024)] public int PatchSize { get; init; } = 16;
    /// <summary>Width.</summary>
    public int EmbedDim { get; init; } = 1024;
    /// <summary>Blocks.</summary>
    public int DecoderDepth { get; init; } = 1;
    /// <summary>Kind of perceptron; that of the pixel decoder is always <c>mlp</c>.</summary>
    [AllowedValues("swiglufused", "swiglu", "mlp")] public string FfnLayer { get; init; } = "mlp";
}

/// <summary>MingTok: low-level latents, features read off them causally, pixels drawn from the features.</summary>
public static class MingTokModel
{
    // Added to the grid when positions are resized; the authors keep DINOv2's.
    private const double PositionOffset = 0.1;

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/ming-univision",
            Paper = "Ming-UniVision: Joint Image Understanding and Generation with a Unified Continuous Tokenizer",
            ArXiv = "2510.06590",
            Authors = ["Ziyuan Huang", "DanDan Zheng", "Cheng Zou", "Rui Liu", "Xiaolong Wang", "Kaixiang Ji", "Weilong Chai", "Jianxin Sun", "Libin Wang", "Yongjie Lv", "Taozhi Huang", "Jiajia Liu", "Qingpei Guo", "Ming Yang", "Jingdong Chen", "Jun Zhou"],
            Repository = "inclusionAI/Ming-UniVision",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.json + model.safetensors"],
            Sizes = [new("inclusionAI/MingTok-Vision", 697_719_584, [])],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(MingTokConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["forward_feature_decoder"] = model => model.Graph.Output("features_prefix", Features(model["semantic_decoder"], Unscaled(model, "hidden_states", Dim.Symbol("tokens"), config), config)),
        },
        SizedNetworks = new Dictionary<string, SizedNetwork>
        {
            ["forward"] = new((model, rows, columns) => Forward(model, rows, columns, config), config.Grid, config.Grid),
            ["forward_pixel_decoder"] = new((model, side, _) => model.Graph.Output("reconstruction", Pixels(model, model.Graph.Input("x", [TokenizerInputs.Batch, side * side, config.SemanticDecoder.EmbedDim]), side, config)), config.Grid, config.Grid),
            ["decode_latent"] = new((model, side, _) => DecodeLatent(model, side, config), config.Grid, config.Grid),
        },
        Calls = new Dictionary<string, ReferenceCall>
        {
            ["forward"] = async (networks, arguments, cancel) =>
            {
                var (image, patch) = (arguments.Tensor("x"), config.LowLevelEncoder.PatchSize);
                return (await networks.RunAsync("forward", image.Shape[2] / patch, image.Shape[3] / patch, cancel, ("x", image)).ConfigureAwait(false)).ToResults();
            },
            ["forward_pixel_decoder"] = async (networks, arguments, cancel) =>
            {
                var side = (long)Math.Sqrt(arguments.Tensor("x").Shape[1]);
                return (await networks.RunAsync("forward_pixel_decoder", side, side, arguments, cancel).ConfigureAwait(false)).ToResults();
            },
        },
        Preparation = ImagePreparation.SignedRange(config.LowLevelEncoder.ImgSize, config.LowLevelEncoder.ImgSize, isFixed: true),
        Layout = TokenLayout.Flat,
        TrainingOnly = [@"mask_token$"],
        Encode = async (networks, picture, _, cancel) => (await networks.RunAsync("forward", config.Grid, config.Grid, cancel, ("x", picture)).ConfigureAwait(false))["latent"],
        Decode = async (networks, latent, _, cancel) => (await networks.RunAsync("decode_latent", config.Grid, config.Grid, cancel, ("latent", latent)).ConfigureAwait(false))["reconstruction"],
    };

    private static void Forward(Scope model, int rows, int columns, MingTokConfig config)
    {
        var (encoder, size, grid) = (model["low_level_encoder"], config.LowLevelEncoder, config.Grid);
        var image = model.Graph.Input("x", [TokenizerInputs.Batch, 3, rows * size.PatchSize, columns * size.PatchSize]);
        var patches = encoder.Stage("patch_embed", encoder["patch_embed.proj"].PatchEmbed(image, size.EmbedDim, size.PatchSize));
        var positions = encoder.Weight("pos_embed", 1, grid * grid + 1, size.EmbedDim);
        var places = positions.Take(1, grid * grid);
        if ((rows, columns) != (grid, grid))
        {
            places = places.Reshape(1, grid, grid, size.EmbedDim).ChannelsFirst().InterpolateBy(Interpolation.Cubic, [(rows + PositionOffset) / grid, (columns + PositionOffset) / grid])
                .ChannelsLast().Reshape(1, rows * columns, size.EmbedDim);
        }

        // The class token comes last, and stays.
        var x = ValueShape.Concat(1, patches + places, (encoder.Weight("cls_token", 1, 1, size.EmbedDim) + positions.From(1, grid * grid)).Expand(image.Shape[0], 1, size.EmbedDim));
        x = Blocks(encoder, x, size.Depth, size.FfnLayer, config, "encoder_block", causal: false);
        var means = x.Reshape(x.Shape[0], x.Shape[1], size.OutDim, size.EmbedDim / size.OutDim).Mean(-1);
        var latent = model.Stage("encoder_out", encoder["out_proj"].Linear(encoder["out_norm"].LayerNorm(x, 1e-6).Gelu(), size.OutDim) + means);
        model.Graph.Output("latent", (latent - config.Mean) / config.ScalingFactor);
        model.Graph.Output("features", Features(model["semantic_decoder"], latent, config));
    }

    private static void DecodeLatent(Scope model, int side, MingTokConfig config) =>
        model.Graph.Output("reconstruction", Pixels(model, Features(model["semantic_decoder"], Unscaled(model, "latent", side * side + 1, config), config), side, config));

    private static Value Unscaled(Scope model, string name, Dim tokens, MingTokConfig config) =>
        model.Graph.Input(name, [TokenizerInputs.Batch, tokens, config.LowLevelEncoder.OutDim]) * config.ScalingFactor + config.Mean;

    // Causal; the last token is only looked at, its own features are dropped.
    private static Value Features(Scope decoder, Value latent, MingTokConfig config)
    {
        var size = config.SemanticDecoder;
        var x = size.InDim is { } channels ? decoder["in_proj"].Linear(latent, size.EmbedDim) + latent.RepeatInterleave(2, size.EmbedDim / channels) : latent;
        x = decoder["norm"].LayerNorm(Blocks(decoder, x, size.DecoderDepth, size.FfnLayer, config, "semantic_block", causal: true), 1e-6);
        return x.Take(1, x.Shape[1] - 1);
    }

    // A feature becomes split x split finer tokens; each draws its own patch.
    private static Value Pixels(Scope model, Value features, int grid, MingTokConfig config)
    {
        var (decoder, size, split) = (model["pixel_decoder"], config.PixelDecoder, config.Split);
        var parts = model.Stage("sem_to_pix", model["sem_to_pix"].Linear(features, split * split * size.EmbedDim));
        var x = parts.Reshape(features.Shape[0], grid, grid, split, split, size.EmbedDim).Transpose(0, 1, 3, 2, 4, 5).Reshape(features.Shape[0], grid * split * grid * split, size.EmbedDim);
        x = decoder["norm"].LayerNorm(Blocks(decoder, x, size.DecoderDepth, "mlp", config, "pixel_block", causal: false), 1e-6);
        var pixels = model.Stage("pixel_head", decoder["head"].Linear(x, 3 * size.PatchSize * size.PatchSize));
        return pixels.Unpatchify(size.PatchSize, grid * split, grid * split, 3).Clip(-1, 1);
    }

    private static Value Blocks(Scope scope, Value x, int depth, string kind, MingTokConfig config, string stage, bool causal)
    {
        var width = x.Shape[-1].Size;
        for (var i = 0; i < depth; i++)
        {
            var block = scope["blocks.0"][i];
            var (q, k, v) = block["attn.qkv"].Qkv(block["norm1"].LayerNorm(x, 1e-6), width);
            x += block["attn.proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = width / config.HeadDim, Causal = causal }), width);
            var normed = block["norm2"].LayerNorm(x, 1e-6);
            x = scope.Stage($"{stage}_{i}", x + (kind != "mlp" ? SwiGlu(block["mlp"], normed) : block["mlp"].Mlp(normed, 4 * width, value => value.Gelu())));
        }

        return x;
    }

    private static Value SwiGlu(Scope mlp, Value x)
    {
        var hidden = ((int)(4 * x.Shape[-1].Size * 2 / 3.0) + 7) / 8 * 8;
        var (gate, value) = mlp["w12"].Linear(x, 2 * hidden).Chunk2();
        return mlp["w3"].Linear(gate.Silu() * value, x.Shape[-1].Size);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<MingTokConfig>())));
}
