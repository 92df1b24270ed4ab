// DualToken: Towards Unifying Visual Understanding and Generation with Dual Visual Vocabularies. Song, Wang, Song, Li, Sun, Chen, Zhou, Xu, Wang, Yu. arXiv:2503.14324. github.com/songweii/DualToken
// Published layout: *.pt (key state_dict), SigLIP inside; configuration as config.json. Deviations: none.
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The authors' configuration.</summary>
public sealed record DualTokenConfig
{
    /// <summary>Width of the vision tower.</summary>
    public int HiddenSize { get; init; } = 1152;
    /// <summary>Block, counted from one, whose output the pixel branch reads.</summary>
    [Range(1, 1024)] public int LayerRecon { get; init; } = 6;
    /// <summary>Block whose output the semantic branch reads and replaces.</summary>
    [Range(1, 1024)] public int LayerSem { get; init; } = 26;
    /// <summary>Block that is added to the pixel branch; null for none.</summary>
    public int? LayerShortcut { get; init; }
    /// <summary>Weight of that block.</summary>
    public double? WeightShortcut { get; init; }
    /// <summary>Semantic quantizer.</summary>
    public DualTokenQuantizer VqSem { get; init; } = new();
    /// <summary>Pixel quantizer.</summary>
    public DualTokenQuantizer VqPix { get; init; } = new();
    /// <summary>Decoder.</summary>
    public DualTokenDecoder Ddconfig { get; init; } = new();
    /// <summary>Size that the decoder's latent is resized to; null keeps it.</summary>
    public int[]? DecoderLatentShape { get; init; }
    /// <summary>The vision tower.</summary>
    public SiglipVisionConfig SiglipVisionConfig { get; init; } = new();
    /// <summary>Groups of the group norms: 32 in the authors' code.</summary>
    public int NormGroups { get; init; } = 32;
}

/// <summary>Section <c>ddconfig</c>.</summary>
public sealed record DualTokenDecoder
{
    /// <summary>Width of the first level.</summary>
    [Range(1, 4096)] public int Ch { get; init; } = 128;
    /// <summary>Width of each level, in units of <see cref="Ch"/>.</summary>
    [MinLength(1)] public int[] ChMult { get; init; } = [1, 1, 4, 4, 8];
    /// <summary>Residual blocks a level, less one.</summary>
    [Range(1, 16)] public int NumResBlocks { get; init; } = 2;
    /// <summary>Resolutions at which a level has attention.</summary>
    public int[] AttnResolutions { get; init; } = [24];
    /// <summary>Size of the pictures.</summary>
    [Range(1, 8192)] public int Resolution { get; init; } = 384;
    /// <summary>Channels of the picture.</summary>
    [Range(1, 64)] public int OutCh { get; init; } = 3;
    /// <summary>Channels that the decoder reads.</summary>
    [Range(1, 8192)] public int DecoderInChannels { get; init; } = 1024;

    internal LdmAutoencoderConfig Sizes(int groups) =>
        new() { Ch = Ch, ChMult = ChMult, NumResBlocks = NumResBlocks, AttnResolutions = AttnResolutions, Resolution = Resolution, OutCh = OutCh, ZChannels = DecoderInChannels, NormGroups = groups };
}

/// <summary>A residual quantizer.</summary>
public sealed record DualTokenQuantizer
{
    /// <summary>Width of a code.</summary>
    public int EmbedDim { get; init; } = 64;
    /// <summary>Places and width of a latent.</summary>
    public int[] LatentShape { get; init; } = [27, 27, 64];
    /// <summary>Places and depth of codes.</summary>
    public int[] CodeShape { get; init; } = [27, 27, 8];
    /// <summary>Entries of each codebook, one number for all or a list.</summary>
    [JsonConverter(typeof(OneOrMany)), MinLength(1)] public int[] NEmbed { get; init; } = [16384];

    /// <summary>Codes a place.</summary>
    public int Depth => CodeShape[2];

    /// <summary>Entries of the codebook at each depth.</summary>
    /// <exception cref="CheckpointException">The list has another length.</exception>
    public IReadOnlyList<int> Entries => NEmbed.Length == 1 ? [.. Enumerable.Repeat(NEmbed[0], Depth)] : NEmbed.Length == Depth ? NEmbed
        : throw new CheckpointException(ErrorCodes.ConfigInvalid, "Each codebook has one size.") { Where = "n_embed", Expected = $"{Depth} numbers, as code_shape says", Found = string.Join(", ", NEmbed) };
}

/// <summary>DualToken: SigLIP's shallow features for looks, its deep ones for meaning, each with a residual quantizer.</summary>
public static class DualTokenModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/dualtoken",
            Paper = "DualToken: Towards Unifying Visual Understanding and Generation with Dual Visual Vocabularies",
            ArXiv = "2503.14324",
            Authors = ["Wei Song", "Yuran Wang", "Zijia Song", "Yadong Li", "Haoze Sun", "Weipeng Chen", "Zenan Zhou", "Jianhua Xu", "Jiaqi Wang", "Kaicheng Yu"],
            Repository = "songweii/DualToken",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: *.pt + config.json"],
            Sizes =
            [
                new("songweii/DualToken: model_config_siglip_384_rvq8", 647_870_691, []),
                new("songweii/DualToken: model_config_siglip_256_rvq4", 643_338_595, []),
            ],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(DualTokenConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode_image"] = model => Encode(model, config),
            ["decode"] = model => Decode(model, model.Graph.Input("z_q", [TokenizerInputs.Batch, config.VqPix.LatentShape[0] * config.VqPix.LatentShape[1], config.VqPix.EmbedDim]), config),
            ["decode_codes"] = model => Decode(model, Entries(model, "quantizer_pix", config.VqPix).Aggregate((a, b) => a + b), config),
            ["embed_pix"] = model => model.Graph.Output("code_embeddings_pix", ValueShape.Stack(3, [.. Entries(model, "quantizer_pix", config.VqPix).Select(entry => AsMap(entry, config.VqPix))])),
            ["embed_sem"] = model => model.Graph.Output("code_embeddings_sem", ValueShape.Stack(3, [.. Entries(model, "quantizer_sem", config.VqSem).Select(entry => AsMap(entry, config.VqSem))])),
        },
        Calls = new Dictionary<string, ReferenceCall>
        {
            ["get_code_emb_with_depth"] = async (networks, arguments, cancel) =>
                (await networks.RunAsync($"embed_{arguments.Literal<string>("mode")}", cancel, ("codes", arguments.Tensor("code"))).ConfigureAwait(false)).ToResults(),
        },
        Preparation = ImagePreparation.SignedRange(config.SiglipVisionConfig.ImageSize, config.SiglipVisionConfig.ImageSize, isFixed: true),
        VocabularySizes = [.. config.VqPix.Entries],
        Codebooks = ["quantizer_pix.codebooks.0.weight"],
        TrainingOnly = [@"^siglip_model\.(text_model|logit_)", @"_ema$", @"\.zero_k_bias$", @"attn_mask$", @"^loss\."],
        Encode = TokenizerPlan.EncodeWith("encode_image", "image", "codes_pix"),
        Decode = TokenizerPlan.DecodeWith("decode_codes", "codes", "reconstruction"),
    };

    private static void Encode(Scope model, DualTokenConfig config)
    {
        var (g, vision) = (model.Graph, config.SiglipVisionConfig);
        var tower = model["siglip_model.vision_model"];
        var x = model.Stage("embeddings", SiglipVision.Embed(tower, g.Input("image", [TokenizerInputs.Batch, 3, vision.ImageSize, vision.ImageSize]), vision));
        Value? pixel = null, shortcut = null;
        for (var layer = 1; layer <= vision.NumHiddenLayers; layer++)
        {
            x = model.Stage($"block_{layer - 1}", SiglipVision.Layer(tower, layer - 1, x, vision));
            if (layer == config.LayerRecon) pixel = Narrow(model["prequant_pix"], x, config.VqPix);
            if (layer == config.LayerShortcut) shortcut = Narrow(model["prequant_shortcut"], x, config.VqPix) * (config.WeightShortcut ?? 0);
            if (layer != config.LayerSem) continue;
            var (semanticCodes, semantic) = Quantize(model["quantizer_sem"], model.Stage("prequant_sem", Narrow(model["prequant_sem"], x, config.VqSem)), config.VqSem);
            g.Output("codes_sem", semanticCodes);
            x = model.Stage("postquant_sem", Widen(model["postquant_sem"], semantic, config.VqSem, config));
        }

        pixel = model.Stage("prequant_pix", shortcut is null ? pixel! : pixel! + shortcut);
        var (codes, quantized) = Quantize(model["quantizer_pix"], pixel, config.VqPix);
        g.Output("codes_pix", codes);
        g.Output("quantized_pix", quantized);
        g.Output("features_sem", x);
        g.Output("pooled", SiglipVision.Pool(tower, tower["post_layernorm"].LayerNorm(x, 1e-6), vision));
    }

    private static void Decode(Scope model, Value quantized, DualTokenConfig config)
    {
        var x = model.Stage("postquant_pix", Widen(model["postquant_pix"], quantized, config.VqPix, config));
        var map = x.Swap(1, 2).Reshape(x.Shape[0], config.HiddenSize, config.VqPix.LatentShape[0], config.VqPix.LatentShape[1]);
        if (config.DecoderLatentShape is [var rows, var columns, ..]) map = map.Interpolate(Interpolation.Linear, [rows, columns]);
        var h = model.Stage("post_quant_conv", PostQuant(model["post_quant_conv"], map, config));
        model.Graph.Output("reconstruction", LdmAutoencoder.Decoder(model["decoder"], h, config.Ddconfig.Sizes(config.NormGroups)));
    }

    // A residual block whose first convolution is 1x1.
    private static Value PostQuant(Scope block, Value x, DualTokenConfig config)
    {
        var outputs = config.Ddconfig.DecoderInChannels;
        var h = block["conv1"].Conv(block["norm1"].GroupNorm(x, config.NormGroups, 1e-6).Silu(), outputs, 1);
        h = block["conv2"].Conv(block["norm2"].GroupNorm(h, config.NormGroups, 1e-6).Silu(), outputs, 3, padding: 1);
        return (x.Shape[1] == outputs ? x : block["nin_shortcut"].Conv(x, outputs, 1)) + h;
    }

    // Each codebook codes what the ones before left over; its last row is padding. z (B, N, C) -> codes (B, h, w, depth), sum (B, N, C).
    private static (Value Codes, Value Sum) Quantize(Scope quantizer, Value z, DualTokenQuantizer sizes)
    {
        var (rest, codes) = (z, new List<Value>());
        Value? sum = null;
        for (var depth = 0; depth < sizes.Depth; depth++)
        {
            var table = Table(quantizer, depth, sizes);
            var ids = VectorQuantization.Nearest(rest, table);
            var entry = table.Gather(ids);
            (sum, rest) = (sum is null ? entry : sum + entry, rest - entry);
            codes.Add(ids.Reshape(z.Shape[0], sizes.LatentShape[0], sizes.LatentShape[1]));
        }

        return (ValueShape.Stack(-1, [.. codes]), sum!);
    }

    // The entries of codes (B, h, w, depth), one (B, N, C) a depth.
    private static IEnumerable<Value> Entries(Scope model, string quantizer, DualTokenQuantizer sizes)
    {
        var codes = model.Graph.Input("codes", ElementType.Int64, [TokenizerInputs.Batch, sizes.LatentShape[0], sizes.LatentShape[1], sizes.Depth]);
        return Enumerable.Range(0, sizes.Depth).Select(depth => Table(model[quantizer], depth, sizes).Gather(codes.At(-1, depth)).Flatten(1, 2));
    }

    private static Value AsMap(Value entry, DualTokenQuantizer sizes) => entry.Reshape(entry.Shape[0], sizes.LatentShape[0], sizes.LatentShape[1], sizes.EmbedDim);

    private static Value Table(Scope quantizer, int depth, DualTokenQuantizer sizes) => quantizer["codebooks"][depth].Weight("weight", sizes.Entries[depth] + 1, sizes.EmbedDim).Take(0, sizes.Entries[depth]);

    private static Value Narrow(Scope scope, Value x, DualTokenQuantizer sizes) => scope.AttnProjection(x, sizes.EmbedDim, x.Shape[-1].Size / sizes.EmbedDim);

    private static Value Widen(Scope scope, Value x, DualTokenQuantizer sizes, DualTokenConfig config) => scope.AttnProjection(x, config.HiddenSize, config.HiddenSize / sizes.EmbedDim, causal: true);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<DualTokenConfig>()), copies: ["state_dict"]));
}
