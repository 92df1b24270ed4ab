// Stabilize the Latent Space for Image Autoregressive Modeling: A Unified Perspective. Zhu, Li, Zhang, Li, Xu, Bing. arXiv:2410.12490. github.com/DAMO-NLP-SG/DiGIT
// Published layout: fairseq's checkpoint_last.pt (key model), with DINOv2 and the centroids in it. Deviations: the second stage, which paints tokens, is a model of its own and not here: tokens come out, pictures do not.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The authors' yaml.</summary>
public sealed record DigitConfig
{
    /// <summary>Section <c>task</c>.</summary>
    public DigitTask Task { get; init; } = new();
    /// <summary>Section <c>model</c>.</summary>
    public DigitSizes Model { get; init; } = new();

    /// <summary>Ids of fairseq's dictionary: five specials, then the codes.</summary>
    public int Dictionary => DigitNetwork.Specials + Task.TargetVocabSize;
}

/// <summary>Section <c>task</c>.</summary>
public sealed record DigitTask
{
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 24)] public int TargetVocabSize { get; init; } = 8192;
}

/// <summary>Section <c>model</c>: fairseq's decoder, and the encoder before it.</summary>
public sealed record DigitSizes
{
    /// <summary>Whether a class stands before the codes.</summary>
    public bool ClassConditional { get; init; }
    /// <summary>The encoder.</summary>
    public DigitEncoder PretrainedEncConfig { get; init; } = new();
    /// <summary>Width.</summary>
    public int DecoderEmbedDim { get; init; } = 1024;
    /// <summary>Width before the output map; that of the decoder when left out.</summary>
    public int? DecoderOutputDim { get; init; }
    /// <summary>Width of the feed-forward maps.</summary>
    public int DecoderFfnEmbedDim { get; init; } = 4096;
    /// <summary>Layers.</summary>
    public int DecoderLayers { get; init; } = 16;
    /// <summary>Heads.</summary>
    public int DecoderAttentionHeads { get; init; } = 16;
    /// <summary>Whether norms stand before branches, not after sums.</summary>
    public bool DecoderNormalizeBefore { get; init; }
    /// <summary>Whether a norm before branches comes without one at the end.</summary>
    public bool NoDecoderFinalNorm { get; init; }
    /// <summary>Most positions.</summary>
    public int MaxTargetPositions { get; init; } = 1024;
    /// <summary>Activation.</summary>
    public string ActivationFn { get; init; } = "relu";
    /// <summary>Whether positions are learned; else sinusoids.</summary>
    public bool DecoderLearnedPos { get; init; }
    /// <summary>Whether embeddings are taken as they are, not times the root of the width.</summary>
    public bool NoScaleEmbedding { get; init; }
    /// <summary>Whether tokens have no positions.</summary>
    public bool NoTokenPositionalEmbeddings { get; init; }
    /// <summary>Whether embeddings are normed.</summary>
    public bool LayernormEmbedding { get; init; }
    /// <summary>Whether the output map is the embedding table.</summary>
    public bool ShareDecoderInputOutputEmbed { get; init; }
}

/// <summary>Section <c>pretrained_enc_config</c>.</summary>
public sealed record DigitEncoder
{
    /// <summary>Blocks from the end: features come out of the first of the last so many.</summary>
    [Range(1, 64)] public int Layer { get; init; } = 3;
    /// <summary>Sizes; those of DINOv2 ViT-B/14 with registers, which the authors name <c>dino_vit_base</c>.</summary>
    public DigitVision Encoder { get; init; } = new();
}

/// <summary>Sizes of the encoder.</summary>
public sealed record DigitVision
{
    /// <summary>Pixels a patch.</summary>
    public int PatchSize { get; init; } = 14;
    /// <summary>Width.</summary>
    public int EmbedDim { get; init; } = 768;
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 12;
    /// <summary>Heads.</summary>
    public int NumHeads { get; init; } = 12;
    /// <summary>Registers.</summary>
    public int NumRegisterTokens { get; init; } = 4;
    /// <summary>Size of the pictures that come in.</summary>
    public int Input { get; init; } = 256;
    /// <summary>Whether pictures are resized by 7/8 first.</summary>
    public bool Resize { get; init; } = true;
    /// <summary>Whether positions are antialiased.</summary>
    public bool Antialias { get; init; }
    /// <summary>Added to the grid when positions are resized.</summary>
    public double Offset { get; init; } = 0.1;

    /// <summary>Size of the pictures that the encoder sees.</summary>
    public int Seen => Resize ? Input * 7 / 8 : Input;

    /// <summary>Patches along each side.</summary>
    public int Grid => Seen / PatchSize;
}

/// <summary>DiGIT: patches of a discriminative encoder, each by its nearest cluster, and a language model over them.</summary>
public static class DigitModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/digit",
            Paper = "Stabilize the Latent Space for Image Autoregressive Modeling: A Unified Perspective",
            ArXiv = "2410.12490",
            Authors = ["Yongxin Zhu", "Bocheng Li", "Hang Zhang", "Xin Li", "Linli Xu", "Lidong Bing"],
            Repository = "DAMO-NLP-SG/DiGIT",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens],
            Layouts = ["authors: checkpoint_last.pt (key model)"],
            Sizes = [new("DAMO-NLP-SG/DiGIT: dino_base", 298_081_280, [])],
            Deviations = "Tokens are not painted: the authors train a second model for that.",
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(DigitConfig config)
    {
        var vision = config.Model.PretrainedEncConfig.Encoder;
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>> { ["prepare_semantic"] = model => DigitNetwork.Encode(model, config), ["next"] = model => DigitNetwork.Decode(model, config) },
            Calls = new Dictionary<string, ReferenceCall>
            {
                ["decoder"] = (networks, arguments, cancel) => DecodeAsync(networks, arguments, config, cancel),
                ["generate_greedy"] = (networks, arguments, cancel) => GenerateAsync(networks, arguments, config, cancel),
            },
            Preparation = ImagePreparation.UnitRange(vision.Input, 1, isFixed: true),
            VocabularySizes = [config.Task.TargetVocabSize],
            Codebooks = ["centroids"],
            TrainingOnly = [@"^decoder\.version$", @"embed_positions\._float_tensor$", @"^pretrained_encoder\.(mask_token$|head\.)", $@"^pretrained_encoder\.blocks\.({string.Join('|', Enumerable.Range(vision.Depth - config.Model.PretrainedEncConfig.Layer + 1, config.Model.PretrainedEncConfig.Layer))})\."],
            Encode = async (networks, picture, _, cancel) =>
                (await networks.RunAsync("prepare_semantic", cancel, ("imgs", picture)).ConfigureAwait(false)).Get<long>("codes").Reshape(1, vision.Grid, vision.Grid),
            Unpainted = ("DiGIT's tokens are painted by a second model, which is not here.", "Give the tokens to a model that reads them."),
        };
    }

    // The sequence that the decoder sees: the end symbol, or the class, then the codes.
    private static Tensor<long> Sequence(Tensor<long> codes, Tensor<long>? classes, DigitConfig config)
    {
        var (batch, count) = ((int)codes.Shape[0], (int)codes.Shape[1]);
        var tokens = Tensor.Zeros<long>(batch, count + 1);
        for (var row = 0; row < batch; row++)
        {
            tokens[row, 0] = config.Model.ClassConditional && classes is not null ? config.Dictionary + classes.Span[row] : DigitNetwork.End;
            for (var i = 0; i < count; i++) tokens[row, i + 1] = codes[row, i] + DigitNetwork.Specials;
        }

        return tokens;
    }

    private static async ValueTask<CallResults> DecodeAsync(NetworkSet networks, CallArguments arguments, DigitConfig config, CancellationToken cancel)
    {
        var tokens = Sequence(arguments.Tensor<long>("codes"), arguments.FindTensor<long>("cls_ids"), config);
        return (await networks.RunAsync("next", cancel, ("src_tokens", tokens)).ConfigureAwait(false)).ToResults().Add("src_tokens", tokens);
    }

    private static async ValueTask<CallResults> GenerateAsync(NetworkSet networks, CallArguments arguments, DigitConfig config, CancellationToken cancel)
    {
        var classes = arguments.FindTensor<long>("cls_ids");
        var (batch, steps) = (arguments.Literal("batch", (int)(classes?.Shape[0] ?? 1)), arguments.Literal<int>("steps"));
        var codes = Tensor.Zeros<long>(batch, 0);
        for (var step = 0; step < steps; step++)
        {
            var logits = (await networks.RunAsync("next", cancel, ("src_tokens", Sequence(codes, classes, config))).ConfigureAwait(false))["logits"];
            var longer = Tensor.Zeros<long>(batch, step + 1);
            for (var row = 0; row < batch; row++)
            {
                for (var i = 0; i < step; i++) longer[row, i] = codes[row, i];
                // The specials are forbidden.
                longer[row, step] = System.Numerics.Tensors.TensorPrimitives.IndexOfMax(logits.Span.Slice((row * (step + 1) + step) * (int)logits.Shape[2] + DigitNetwork.Specials, config.Task.TargetVocabSize));
            }

            codes = longer;
        }

        return new CallResults().Add("generated_codes", codes);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<DigitConfig>()), copies: ["model"]));
}

internal static class DigitNetwork
{
    /// <summary>fairseq's specials: beginning, padding, end, unknown, and the authors' newline.</summary>
    public const int Specials = 5;

    /// <summary>The end symbol, which also begins.</summary>
    public const int End = 2;

    private const int Padding = 1;

    /// <summary>imgs (B, 3, S, S) in 0..1 -> codes (B, N).</summary>
    public static void Encode(Scope model, DigitConfig config)
    {
        var (g, dino, vision) = (model.Graph, model["pretrained_encoder"], config.Model.PretrainedEncConfig.Encoder);
        var (mean, deviation) = (ChannelStatistics.ImageNet.Mean, ChannelStatistics.ImageNet.Deviation);
        var image = (g.Input("imgs", [TokenizerInputs.Batch, 3, vision.Input, vision.Input]) - g.Constant<float>(mean, 1, 3, 1, 1)) / g.Constant<float>(deviation, 1, 3, 1, 1);
        if (vision.Resize) image = image.InterpolateBy(Interpolation.Cubic, 0.875);
        // The stored table says how large it is: 37 x 37 for all of DINOv2.
        var table = dino.IsInventory ? 37 : (int)Math.Sqrt(dino.ShapeOf("pos_embed")[1] - 1);
        var size = new DinoV2Config
        {
            ImgSize = table * vision.PatchSize, PatchSize = vision.PatchSize, EmbedDim = vision.EmbedDim, Depth = vision.Depth, NumHeads = vision.NumHeads, NumRegisterTokens = vision.NumRegisterTokens,
            Antialias = vision.Antialias, Offset = vision.Offset,
        };
        var (_, patches) = DinoV2.Features(dino, DinoV2.Blocks(dino, image, size, vision.Depth - config.Model.PretrainedEncConfig.Layer + 1), size);
        var features = model.Stage("features", patches);
        var rows = features.Reshape(-1, vision.EmbedDim);
        var distances = rows.Square().Sum(-1, keep: true) - rows.MatMul(model.Weight("centroids", vision.EmbedDim, config.Task.TargetVocabSize)) * 2 + model.Weight("centroid_norm", 1, config.Task.TargetVocabSize);
        var codes = distances.ArgMin(-1).Reshape(features.Shape[0], features.Shape[1]);
        g.Output("codes", codes);
        g.Output("tokens", codes + Specials);
    }

    /// <summary>src_tokens (B, N) -> logits of what follows each (B, N, dictionary).</summary>
    public static void Decode(Scope model, DigitConfig config)
    {
        var (g, decoder, size) = (model.Graph, model["decoder"], config.Model);
        var width = size.DecoderEmbedDim;
        var tokens = g.Input("src_tokens", ElementType.Int64, [TokenizerInputs.Batch, Dim.Symbol("length")]);
        var known = decoder["embed_tokens"].IsInventory ? config.Dictionary + (size.ClassConditional ? 1000 : 0) : decoder["embed_tokens"].ShapeOf("weight")[0];
        var table = decoder["embed_tokens"].Weight("weight", known, width);
        var x = table.Gather(tokens) * (size.NoScaleEmbedding ? 1 : Math.Sqrt(width));
        if (!size.NoTokenPositionalEmbeddings) x += Positions(decoder, tokens.Shape[1], size);
        if (size.LayernormEmbedding) x = decoder["layernorm_embedding"].LayerNorm(x);
        for (var i = 0; i < size.DecoderLayers; i++) x = decoder.Stage($"decoder_layer_{i}", Layer(decoder["layers"][i], x, size));
        if (size.DecoderNormalizeBefore && !size.NoDecoderFinalNorm) x = decoder["layer_norm"].LayerNorm(x);
        if (size.DecoderOutputDim is { } outputs && outputs != width) x = decoder["project_out_dim"].Linear(x, outputs, bias: false);
        g.Output("logits", size.ShareDecoderInputOutputEmbed ? decoder.Linear(x, table, null) : decoder["output_projection"].Linear(x, config.Dictionary, bias: false));
    }

    // fairseq counts positions from the one after padding.
    private static Value Positions(Scope decoder, Dim length, DigitSizes size) => size.DecoderLearnedPos
        ? decoder["embed_positions"].Weight("weight", size.MaxTargetPositions + Padding + 1, size.DecoderEmbedDim).Slice(0, Padding + 1, length + (Padding + 1))
        : (AttentionLayers.Range(decoder.Graph, length) + (Padding + 1)).Sinusoid(size.DecoderEmbedDim, shift: 1, cosinesFirst: false);

    private static Value Layer(Scope layer, Value x, DigitSizes size)
    {
        var (attention, width, before) = (layer["self_attn"], size.DecoderEmbedDim, size.DecoderNormalizeBefore);
        Value Norm(string name, Value value, bool here) => here ? layer[name].LayerNorm(value) : value;
        var h = Norm("self_attn_layer_norm", x, before);
        var seen = AttentionLayers.Attention(attention["q_proj"].Linear(h, width), attention["k_proj"].Linear(h, width), attention["v_proj"].Linear(h, width), new() { Heads = size.DecoderAttentionHeads, Causal = true });
        x = Norm("self_attn_layer_norm", x + attention["out_proj"].Linear(seen, width), !before);
        return Norm("final_layer_norm", x + layer.Mlp(Norm("final_layer_norm", x, before), size.DecoderFfnEmbedDim, Activations.Named(size.ActivationFn)), !before);
    }
}
