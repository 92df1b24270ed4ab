// TokenFlow: Unified Image Tokenizer for Multimodal Understanding and Generation. Qu, Zhang, Liu, Wang, Jiang, Gao, Ye, Du, Yuan, Wu. arXiv:2412.03069. github.com/ByteFlow-AI/TokenFlow
// Published layout: tokenflow*.pt (key model), SigLIP or CLIP inside; the authors' ModelArgs as config.json. Deviations: none; the ViTamin teacher, of which nothing is published, is not here.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The authors' <c>ModelArgs</c>, and the constants of their code.</summary>
public sealed record TokenFlowConfig
{
    /// <summary>Entries of the shared codebook.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 32768;
    /// <summary>Width of the half of looks.</summary>
    public int CodebookEmbedDim { get; init; } = 8;
    /// <summary>Width of the half of meaning.</summary>
    public int SemanticCodeDim { get; init; } = 32;
    /// <summary>Width of each level of the convolutional encoder.</summary>
    public int[] EncoderChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Width of each level of the convolutional decoder.</summary>
    public int[] DecoderChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Channels of the convolutional latent.</summary>
    public int ZChannels { get; init; } = 256;
    /// <summary>Whether both halves live on the unit sphere.</summary>
    public bool CodebookL2Norm { get; init; } = true;
    /// <summary>The vision tower that gives the meaning.</summary>
    [AllowedValues("siglip_384", "clipb_224")] public string Teacher { get; init; } = "siglip_384";
    /// <summary>Whether the convolutional decoder is twice as wide and deep.</summary>
    public bool EnhancedDecoder { get; init; }
    /// <summary>Whether CLIP sees larger pictures than it was made for.</summary>
    [AllowedValues(false)] public bool InferInterpolate { get; init; }
    /// <summary>Places along each side, scale by scale; those of the teacher when left out.</summary>
    public int[]? Scales { get; init; }
    /// <summary>Width of the first level.</summary>
    public int Ch { get; init; } = 128;
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 2;
    /// <summary>Groups of the group norms.</summary>
    public int NormGroups { get; init; } = 32;
    /// <summary>Heads of the semantic decoder.</summary>
    public int VqkdHeads { get; init; } = 12;
    /// <summary>Blocks of the semantic decoder.</summary>
    public int VqkdDepth { get; init; } = 3;
    /// <summary>Width of the features that the teacher is reconstructed by; as published when left out.</summary>
    public int? TeacherDim { get; init; }
    /// <summary>Size of the pictures; that of the teacher when left out.</summary>
    public int? ImageSize { get; init; }
    /// <summary>SigLIP.</summary>
    public SiglipVisionConfig SiglipVisionConfig { get; init; } = new();
    /// <summary>CLIP.</summary>
    public ClipVisionConfig ClipVisionConfig { get; init; } = new() { PatchSize = 16 };

    /// <summary>Whether the meaning comes from CLIP.</summary>
    public bool FromClip => Teacher == "clipb_224";
    /// <summary>Width of the vision tower and of the semantic decoder.</summary>
    public int Features => FromClip ? (int)ClipVisionConfig.HiddenSize : SiglipVisionConfig.HiddenSize;
    /// <summary>Width of the reconstructed features.</summary>
    public int Reconstructed => TeacherDim ?? (FromClip ? 512 : 1152);
    /// <summary>Height and width of the pictures.</summary>
    public int Pixels => ImageSize ?? (FromClip ? 224 : 384);
    /// <summary>Places along each side, scale by scale.</summary>
    public int[] Sides => Scales ?? (FromClip ? [1, 2, 4, 6, 8, 10, 12, 14] : [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 22, 27]);
    /// <summary>Places along each side.</summary>
    public int Side => Sides[^1];
    /// <summary>Tokens a picture.</summary>
    public int Tokens => Sides.Sum(side => side * side);
    /// <summary>Width of both halves.</summary>
    public int Width => SemanticCodeDim + CodebookEmbedDim;

    /// <summary>Encoder or decoder as a <c>ddconfig</c>, so many times as wide and deep: attention stands at the deepest level.</summary>
    public LdmAutoencoderConfig Ddconfig(int[] chMult, int times = 1) => new()
    {
        Ch = times * Ch, ChMult = chMult, NumResBlocks = times * NumResBlocks, NormGroups = NormGroups, ZChannels = ZChannels, Resolution = 1 << (chMult.Length - 1), AttnResolutions = [1],
    };
}

/// <summary>TokenFlow: one index stands for a meaning and a look at once.</summary>
public static class TokenFlowModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/tokenflow",
            Paper = "TokenFlow: Unified Image Tokenizer for Multimodal Understanding and Generation",
            ArXiv = "2412.03069",
            Authors = ["Liao Qu", "Huichao Zhang", "Yiheng Liu", "Xu Wang", "Yi Jiang", "Yiming Gao", "Hu Ye", "Daniel K. Du", "Zehuan Yuan", "Xinglong Wu"],
            Repository = "ByteFlow-AI/TokenFlow",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: tokenflow*.pt + config.json"],
            Sizes = [new("ByteFlow-AI/TokenFlow: tokenflow_siglip_32k", 523_529_809, [])],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(TokenFlowConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode"] = model => Encode(model, config),
            ["decode"] = model => Decode(model, model.Graph.Input("quant", [TokenizerInputs.Batch, config.Width, config.Side, config.Side]), config),
            ["decode_code"] = model => DecodeCode(model, config),
        },
        Calls = new Dictionary<string, ReferenceCall> { ["decode_code"] = (networks, arguments, cancel) => DecodeCodeAsync(networks, arguments.Tensor<long>("code_b"), config, cancel) },
        Preparation = ImagePreparation.SignedRange(config.Pixels, config.Pixels, isFixed: true),
        Layout = TokenLayout.CoarseToFine,
        VocabularySizes = [config.CodebookSize],
        Codebooks = ["quantize.embedding_vqkd.weight", "quantize.embedding_vqgan.weight"],
        PrefixTokens = config.Tokens,
        TrainingOnly = [@"codebook_used$", @"^encoder_vqkd\.vision_model\.(head|post_layernorm|encoder\.layers\." + (config.SiglipVisionConfig.NumHiddenLayers - 1) + @")\.", @"^encoder_vqkd\.(text_model|logit)"],
        Encode = TokenizerPlan.EncodeWith("encode", "x", "codes"),
        Decode = async (networks, codes, _, cancel) => (Tensor<float>)(await DecodeCodeAsync(networks, (Tensor<long>)codes, config, cancel).ConfigureAwait(false)).Tensor("reconstruction"),
    };

    private static void Encode(Scope model, TokenFlowConfig config)
    {
        var (x, small) = (model.Graph.Input("x", [TokenizerInputs.Batch, 3, config.Pixels, config.Pixels]), config.Side << (config.EncoderChMult.Length - 1));
        var features = model.Stage("semantic_feature", TaskLayer(model["encode_task_layer"], config.FromClip ? Clip(model["encoder_vqkd"], x, config.ClipVisionConfig) : Siglip(model, x, config.SiglipVisionConfig), config.Features, config.SemanticCodeDim));
        var semantic = features.Swap(1, 2).Reshape(x.Shape[0], config.SemanticCodeDim, config.Side, config.Side);

        // Beside CLIP the convolutions see the picture as it is.
        var map = LdmAutoencoder.Encoder(model["encoder"], config.FromClip ? x : x.Interpolate(Interpolation.Cubic, [small, small]), config.Ddconfig(config.EncoderChMult));
        var look = model.Stage("latent_pixel", model["quant_conv"].Conv(map, config.CodebookEmbedDim, 1));
        Quantize(model, ValueShape.Concat(1, semantic, look), config);
    }

    // The last block is not used.
    private static Value Siglip(Scope model, Value x, SiglipVisionConfig vision)
    {
        var (scaling, tower) = (model["scaling_layer"], model["encoder_vqkd.vision_model"]);
        var pixels = (((x + 1) * 127.5).Clip(0, 255) / 255 - scaling.Weight("shift", 1, 3, 1, 1)) / scaling.Weight("scale", 1, 3, 1, 1);
        var features = SiglipVision.Embed(tower, pixels, vision);
        for (var i = 0; i < vision.NumHiddenLayers - 1; i++) features = SiglipVision.Layer(tower, i, features, vision);
        return features;
    }

    // OpenAI's names; the patches after the last norm, without the class token.
    private static Value Clip(Scope clip, Value x, ClipVisionConfig vision)
    {
        var (width, side) = (vision.HiddenSize, vision.ImageSize / vision.PatchSize);
        var patches = clip["conv1"].PatchEmbed(x, width, vision.PatchSize, bias: false);
        var h = ValueShape.Concat(1, clip.Weight("class_embedding", width).Expand(x.Shape[0], 1, width), patches) + clip.Weight("positional_embedding", side * side + 1, width);
        h = clip["ln_pre"].LayerNorm(h);
        for (var i = 0; i < vision.NumHiddenLayers; i++) h = clip["transformer.resblocks"][i].ResidualAttentionBlock(h, vision.NumAttentionHeads, value => value.QuickGelu());
        return clip["ln_post"].LayerNorm(h).From(1, 1);
    }

    // At each scale: the entry whose halves are nearest to those of what is left, both distances added.
    private static void Quantize(Scope model, Value latent, TokenFlowConfig config)
    {
        var (rest, codes) = (latent, new List<Value>());
        var (meanings, looks) = Tables(model, config);
        Value? sum = null;
        for (var scale = 0; scale < config.Sides.Length; scale++)
        {
            var side = config.Sides[scale];
            var z = model.Stage($"residual_scale_{scale}", rest.Interpolate(Interpolation.Area, [side, side])).ChannelsLast();
            var ids = (Distances(z.Take(-1, config.SemanticCodeDim), meanings, config) + Distances(z.From(-1, config.SemanticCodeDim), looks, config)).ArgMin(-1).Reshape(z.Shape[0], side, side);
            var part = Part(ids, meanings, looks, config);
            (sum, rest) = (sum is null ? part : sum + part, rest - part);
            codes.Add(ids.Flatten(1));
        }

        model.Graph.Output("quantized", sum!);
        model.Graph.Output("codes", ValueShape.Concat(1, [.. codes]));
    }

    private static Value Distances(Value z, Value table, TokenFlowConfig config)
    {
        var rows = (config.CodebookL2Norm ? z.L2Normalize() : z).Reshape(-1, z.Shape[-1]);
        return rows.Square().Sum(-1, keep: true) + table.Square().Sum(-1) - rows.MatMul(table.Swap(0, 1)) * 2;
    }

    private static Value Part(Value ids, Value meanings, Value looks, TokenFlowConfig config) =>
        ValueShape.Concat(-1, meanings.Gather(ids), looks.Gather(ids)).ChannelsFirst().Interpolate(Interpolation.Cubic, [config.Side, config.Side]);

    private static (Value Meanings, Value Looks) Tables(Scope model, TokenFlowConfig config)
    {
        var meanings = model["quantize.embedding_vqkd"].Weight("weight", config.CodebookSize, config.SemanticCodeDim);
        var looks = model["quantize.embedding_vqgan"].Weight("weight", config.CodebookSize, config.CodebookEmbedDim);
        return config.CodebookL2Norm ? (meanings.L2Normalize(), looks.L2Normalize()) : (meanings, looks);
    }

    // scales (S) is 1 for those that the codes reach.
    private static void DecodeCode(Scope model, TokenFlowConfig config)
    {
        var (g, start) = (model.Graph, 0);
        var (codes, scales) = (g.Input("code_b", ElementType.Int64, [TokenizerInputs.Batch, config.Tokens]), g.Input("scales", [config.Sides.Length]));
        var (meanings, looks) = Tables(model, config);
        var parts = new List<Value>();
        for (var scale = 0; scale < config.Sides.Length; scale++)
        {
            var side = config.Sides[scale];
            parts.Add(Part(codes.Slice(1, start, start + side * side).Reshape(codes.Shape[0], side, side), meanings, looks, config) * scales.Slice(0, scale, scale + 1));
            start += side * side;
        }

        Decode(model, parts.Aggregate((a, b) => a + b), config);
    }

    private static void Decode(Scope model, Value quantized, TokenFlowConfig config)
    {
        var (g, width) = (model.Graph, config.Features);
        var decoder = model["decoder_vqkd"];
        var (batch, places) = (quantized.Shape[0], config.Side * config.Side);
        var x = decoder["patch_embed.proj"].Conv(quantized.Take(1, config.SemanticCodeDim), width, 1).Flatten(2).Swap(1, 2);
        x = ValueShape.Concat(1, decoder.Weight("cls_token", 1, 1, width).Expand(batch, 1, width), x) + decoder.Weight("pos_embed", 1, places + 1, width);
        for (var i = 0; i < config.VqkdDepth; i++) x = BeitBlock(decoder["blocks"][i], x, config.VqkdHeads);
        x = model.Stage("semantic_decoder", decoder["fc_norm"].LayerNorm(x.From(1, 1), 1e-6));
        g.Output("semantic_reconstruction", TaskLayer(model["decode_task_layer"], x, width, config.Reconstructed));

        var h = model.Stage("post_quant", model["post_quant_conv"].Conv(quantized.From(1, config.SemanticCodeDim), config.ZChannels, 1));
        var picture = model.Stage("pixel_decoder", LdmAutoencoder.Decoder(model["decoder"], h, config.Ddconfig(config.DecoderChMult, config.EnhancedDecoder ? 2 : 1)));
        g.Output("reconstruction", config.FromClip ? picture : picture.Interpolate(Interpolation.Cubic, [config.Pixels, config.Pixels]));
    }

    // BEiT's block: queries and values have biases, keys none.
    private static Value BeitBlock(Scope block, Value x, int heads)
    {
        var (width, attention, normed) = (x.Shape[-1].Size, block["attn"], block["norm1"].LayerNorm(x, 1e-6));
        Value Part(long part, string? bias) =>
            attention.Linear(normed, x.Graph.Weight($"{attention.Path}.qkv.weight[{part}]", attention["qkv"].Data("weight", 3 * width, width).Rows(part * width, width), attention.Path), bias is null ? null : attention.Weight(bias, width));
        x += attention["proj"].Linear(AttentionLayers.Attention(Part(0, "q_bias"), Part(1, null), Part(2, "v_bias"), new() { Heads = heads }), width);
        return x + block["mlp"].Mlp(block["norm2"].LayerNorm(x, 1e-6), 4 * width, value => value.Gelu());
    }

    private static Value TaskLayer(Scope layer, Value x, int hidden, int outputs) => layer[2].Linear(layer[0].Linear(x, hidden).Tanh(), outputs);

    private static async ValueTask<CallResults> DecodeCodeAsync(NetworkSet networks, Tensor<long> codes, TokenFlowConfig config, CancellationToken cancel)
    {
        var (batch, given) = ((int)codes.Shape[0], (int)codes.Shape[1]);
        var all = Tensor.Zeros<long>(batch, config.Tokens);
        for (var sample = 0; sample < batch; sample++) codes.Slice(sample).Span.CopyTo(all.Slice(sample).Span);
        var (scales, start) = (Tensor.Zeros<float>(config.Sides.Length), 0);
        for (var scale = 0; scale < config.Sides.Length; scale++) scales.Span[scale] = (start += config.Sides[scale] * config.Sides[scale]) <= given ? 1 : 0;
        var results = (await networks.RunAsync("decode_code", cancel, ("code_b", all), ("scales", scales)).ConfigureAwait(false)).ToResults();
        return results.Add("reconstruction_partial", results.Tensor("reconstruction"));
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = source.ReadConfig<TokenFlowConfig>();
        return ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(config), LlamaGenVq.Keys(config.DecoderChMult.Length).Apply, copies: ["model"]));
    }
}
