// Holistic Tokenizer for Autoregressive Image Generation. Zheng, Wang, Zhao, Deng, Wang, Zhang, Qi. arXiv:2507.02358. github.com/CVMI-Lab/Hita
// Published layout: the checkpoint (key ema) without DINOv2, and the authors' yaml. Deviations: none. DINOv2's features are an argument of the authors' encode here; the verbs compute them from Meta's own file.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The authors' <c>ModelArgs</c> with their yaml.</summary>
public sealed record HitaConfig
{
    /// <summary>Entries of each codebook.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 16384;
    /// <summary>Width of a patch's code.</summary>
    [Range(1, 4096)] public int CodebookEmbedDim { get; init; } = 8;
    /// <summary>Width of a holistic code.</summary>
    [Range(1, 4096)] public int CodebookSlotsEmbedDim { get; init; } = 12;
    /// <summary>Whether codes live on the unit sphere.</summary>
    public bool CodebookL2Norm { get; init; } = true;
    /// <summary>Width of each level of the convolutional encoder.</summary>
    [MinLength(1)] public int[] EncoderChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Width of each level of the convolutional decoder.</summary>
    [MinLength(1)] public int[] DecoderChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Channels between convolutions and transformers, the transformers' width.</summary>
    public int ZChannels { get; init; } = 512;
    /// <summary>The yaml.</summary>
    public HitaTransformers TransformerConfig { get; init; } = new();
    /// <summary>What the authors' code fixes.</summary>
    public HitaFixed Fixed { get; init; } = new();

    /// <summary>Patches along each side at the published size.</summary>
    public int Grid => TransformerConfig.EncoderConfig.Params.ImageSize / TransformerConfig.EncoderConfig.Params.PatchSize;

    /// <summary>Encoder or decoder as a <c>ddconfig</c>: attention stands at the deepest level.</summary>
    public LdmAutoencoderConfig Ddconfig(int[] chMult) => new()
    {
        Ch = Fixed.Ch, ChMult = chMult, NumResBlocks = Fixed.NumResBlocks, NormGroups = Fixed.NormNumGroups, ZChannels = ZChannels, Resolution = 1 << (chMult.Length - 1), AttnResolutions = [1],
    };
}

/// <summary>The two sections of the yaml.</summary>
public sealed record HitaTransformers
{
    /// <summary>The encoder.</summary>
    public HitaSection EncoderConfig { get; init; } = new();
    /// <summary>The decoder.</summary>
    public HitaSection DecoderConfig { get; init; } = new();
}

/// <summary>A section of the yaml.</summary>
public sealed record HitaSection
{
    /// <summary>Arguments of the class.</summary>
    public HitaTransformer Params { get; init; } = new();
}

/// <summary>Arguments of a transformer.</summary>
public sealed record HitaTransformer
{
    /// <summary>Size of the pictures that the position table is for.</summary>
    [Range(1, 8192)] public int ImageSize { get; init; } = 336;
    /// <summary>Pixels a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 16;
    /// <summary>Width.</summary>
    public int Dim { get; init; } = 512;
    /// <summary>Width of DINOv2's features.</summary>
    public int InChannels { get; init; } = 1024;
    /// <summary>Layers; the encoder has as many twice.</summary>
    public int Depth { get; init; } = 3;
    /// <summary>Heads.</summary>
    public int NumHead { get; init; } = 8;
    /// <summary>Width of the perceptrons before the gate takes a third.</summary>
    public int MlpDim { get; init; } = 2048;
    /// <summary>Width of a head in the encoder's first half.</summary>
    public int DimHead { get; init; } = 64;
    /// <summary>Holistic tokens.</summary>
    public int NCarrier { get; init; } = 128;
    /// <summary>Whether the decoder also predicts DINOv2's features.</summary>
    public bool EnableVfmRecon { get; init; }
    /// <summary>Places by which the decoded grid stands before the patches.</summary>
    public int ShiftK { get; init; } = 4;
}

/// <summary>What the authors' code fixes.</summary>
public sealed record HitaFixed
{
    /// <summary>Width of the first level.</summary>
    public int Ch { get; init; } = 128;
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 2;
    /// <summary>Groups of the group norms.</summary>
    public int NormNumGroups { get; init; } = 32;
}

/// <summary>Hita: holistic tokens before the patches', decoded causally.</summary>
public static class HitaModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/hita",
            Paper = "Holistic Tokenizer for Autoregressive Image Generation",
            ArXiv = "2507.02358",
            Authors = ["Anlin Zheng", "Haochen Wang", "Yucheng Zhao", "Weipeng Deng", "Tiancai Wang", "Xiangyu Zhang", "Xiaojuan Qi"],
            Repository = "CVMI-Lab/Hita",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: *.pt (key ema)"],
            Sizes =
            [
                new("yexiguafu/hita-gen: hita-tok", 104_240_839, []),
                new("yexiguafu/hita-gen: hita-ultra", 104_767_687, []),
            ],
            Deviations = "Tokenizing needs dinov2_vitl14_reg4_pretrain.pth beside the checkpoint, as the authors publish without it.",
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(HitaConfig config, Companion? dino = null)
    {
        var network = new HitaNetwork(config);
        var (size, factor, slots) = (config.TransformerConfig.EncoderConfig.Params.ImageSize, 1 << (config.EncoderChMult.Length - 1), config.TransformerConfig.EncoderConfig.Params.NCarrier);
        return new()
        {
            SizedNetworks = new Dictionary<string, SizedNetwork>
            {
                ["encode"] = new(network.Encode, config.Grid, config.Grid),
                ["decode_from_indices"] = new(network.Decode, config.Grid, config.Grid),
            },
            Calls = new Dictionary<string, ReferenceCall>
            {
                ["encode"] = async (networks, arguments, cancel) => await CallAsync(networks, "encode", arguments.Tensor("image").Shape[2] / factor, arguments.Tensor("image").Shape[3] / factor, arguments, cancel).ConfigureAwait(false),
                ["decode_from_indices"] = async (networks, arguments, cancel) =>
                {
                    var shape = arguments.Literal<int[]>("z_shape");
                    return await CallAsync(networks, "decode_from_indices", shape[2], shape[3], arguments, cancel).ConfigureAwait(false);
                },
            },
            Companions = dino is null ? [] : [dino],
            Preparation = ImagePreparation.SignedRange(size, factor, isFixed: true),
            Layout = TokenLayout.Flat,
            VocabularySizes = [config.CodebookSize],
            Codebooks = ["slot_quantize.embedding.weight", "quantize.embedding.weight"],
            TrainingOnly = [@"quantize\.codebook_used$", @"^encode_transformer\.backbone\."],
            // Holistic tokens first, then the patches row by row.
            Encode = async (networks, picture, _, cancel) =>
            {
                var features = (await dino!.RunAsync(cancel, ("image", picture)).ConfigureAwait(false))["features"];
                var codes = await networks.RunAsync("encode", config.Grid, config.Grid, cancel, ("image", picture), ("vfm_features", features)).ConfigureAwait(false);
                return Tensor.Create<long>([.. codes.Get<long>("slot_codes").Span, .. codes.Get<long>("codes").Span], 1, slots + config.Grid * config.Grid);
            },
            Decode = async (networks, codes, _, cancel) => (await networks.RunAsync("decode_from_indices", config.Grid, config.Grid, cancel,
                ("slot_codes", Tensor.Create(codes.As<long>().Span[..slots].ToArray(), 1, slots)),
                ("codes", Tensor.Create(codes.As<long>().Span[slots..].ToArray(), 1, config.Grid * config.Grid))).ConfigureAwait(false))["reconstruction"],
        };
    }

    private static async ValueTask<CallResults> CallAsync(NetworkSet networks, string call, long rows, long columns, CallArguments arguments, CancellationToken cancel) =>
        (await networks.RunAsync(call, rows, columns, arguments, cancel).ConfigureAwait(false)).ToResults();

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = source.ReadConfig<HitaConfig>();
        var size = config.TransformerConfig.EncoderConfig.Params.ImageSize;
        var dino = new Companion(source, "DINOv2 ViT-L/14 with registers", "dinov2_vitl14_reg4_pretrain.pth", "dinov2_vitl14_reg4_pretrain.pth of facebookresearch/dinov2",
            _ => scope => HitaNetwork.VisionFeatures(scope, scope.Graph.Input("image", [1, 3, size, size]), DinoV2Config.Large));
        return ValueTask.FromResult(ImageTokenizer.Open(Published(source), _ => Plan(config, dino), LlamaGenVq.Keys(config.DecoderChMult.Length).Apply, copies: ["ema"]));
    }

    // Of the folder's files the published one.
    private static ModelSource Published(ModelSource source) =>
        source.Parts.Count == 0 && Directory.EnumerateFiles(source.RequireFolder(), "*.pt").Order(StringComparer.Ordinal).FirstOrDefault() is { } file ? source with { Parts = [new(Path.GetFileName(file))] } : source;
}

internal sealed class HitaNetwork(HitaConfig config)
{
    private readonly HitaTransformer _encoder = config.TransformerConfig.EncoderConfig.Params, _decoder = config.TransformerConfig.DecoderConfig.Params;

    /// <summary>image (B, 3, S, S) in -1..1 -> DINOv2's class token and patches of the picture at 224 pixels, (B, 257, D).</summary>
    public static void VisionFeatures(Scope dino, Value image, DinoV2Config size)
    {
        const int Seen = 224;
        var small = Blur(image, (double)image.Shape[2].Size / Seen).Interpolate(Interpolation.Cubic, [Seen, Seen], alignCorners: true).Clip(-1, 1);
        var (mean, deviation) = (ChannelStatistics.ImageNet.Mean, ChannelStatistics.ImageNet.Deviation);
        var standardized = ((small + 1) / 2 - image.Graph.Constant<float>(mean, 1, 3, 1, 1)) / image.Graph.Constant<float>(deviation, 1, 3, 1, 1);
        var (first, patches) = DinoV2.Features(dino, DinoV2.Blocks(dino, standardized, size, size.Depth), size);
        image.Graph.Output("features", ValueShape.Concat(1, first, patches));
    }

    /// <summary>image (B, 3, f rows, f columns), features (B, 1 + M, F) -> codes (B, rows columns), slot codes (B, Q).</summary>
    public void Encode(Scope model, int rows, int columns)
    {
        var factor = 1 << (config.EncoderChMult.Length - 1);
        var image = model.Graph.Input("image", [TokenizerInputs.Batch, 3, rows * factor, columns * factor]);
        var vision = model.Graph.Input("vfm_features", [TokenizerInputs.Batch, Dim.Symbol("places"), _encoder.InChannels]);
        var (encoder, width, slots) = (model["encode_transformer"], _encoder.Dim, _encoder.NCarrier);
        var features = model.Stage("vfm_proj", Project(encoder["proj.mlp"], vision, width));
        var map = model.Stage("cnn_features", LdmAutoencoder.Encoder(model["encoder"], image, config.Ddconfig(config.EncoderChMult)));
        var patches = map.Flatten(2).Swap(1, 2) + Positions(encoder.Weight("pos_embed", 1, config.Grid * config.Grid, width), config.Grid, rows, columns);
        var carriers = encoder.Weight("carrier_tokens", 1, slots, width).Expand(image.Shape[0], slots, width);

        var x = encoder["norm_pre1"].LayerNorm(ValueShape.Concat(1, carriers, features, patches));
        for (var i = 0; i < _encoder.Depth; i++) x = FreeLayer(encoder["transformer1.layers"][i], x, _encoder);
        x = model.Stage("encoder_stage1", x);
        x = encoder["norm_pre2"].LayerNorm(ValueShape.Concat(1, x.Take(1, slots), x.Last(1, rows * columns)));
        for (var i = 0; i < _encoder.Depth; i++) x = CausalLayer(encoder["transformer2.layers"][i], x, _encoder, null);
        x = model.Stage("encoder_stage2", x);

        var latent = model.Stage("patch_latent", model["quant_conv"].Conv(x.From(1, slots).Swap(1, 2).Reshape(image.Shape[0], width, rows, columns), config.CodebookEmbedDim, 1));
        var slotLatent = model.Stage("slot_latent", model["pre_slots_quant"].Linear(x.Take(1, slots), config.CodebookSlotsEmbedDim));
        var (codes, slotCodes) = (Nearest(model, "quantize", latent.ChannelsLast(), config.CodebookEmbedDim), Nearest(model, "slot_quantize", slotLatent, config.CodebookSlotsEmbedDim));
        model.Graph.Output("quantized_patches", Table(model, "quantize", config.CodebookEmbedDim).Gather(codes).ChannelsFirst());
        model.Graph.Output("quantized_slots", Table(model, "slot_quantize", config.CodebookSlotsEmbedDim).Gather(slotCodes));
        model.Graph.Output("codes", codes.Flatten(1));
        model.Graph.Output("slot_codes", slotCodes);
    }

    /// <summary>codes (B, rows columns), slot codes (B, Q) -> picture (B, 3, f rows, f columns).</summary>
    public void Decode(Scope model, int rows, int columns)
    {
        var g = model.Graph;
        var (decoder, width, slots) = (model["decode_transformer"], _decoder.Dim, _decoder.NCarrier);
        var codes = g.Input("codes", ElementType.Int64, [TokenizerInputs.Batch, rows * columns]);
        var slotCodes = g.Input("slot_codes", ElementType.Int64, [TokenizerInputs.Batch, slots]);
        var z = Table(model, "quantize", config.CodebookEmbedDim).Gather(codes).Swap(1, 2).Reshape(codes.Shape[0], config.CodebookEmbedDim, rows, columns);
        var map = model.Stage("post_quant", model["post_quant_conv"].Conv(z, config.ZChannels, 1));
        var holistic = model.Stage("post_slots", model["post_slots_quant"].Linear(Table(model, "slot_quantize", config.CodebookSlotsEmbedDim).Gather(slotCodes), config.ZChannels));

        var table = decoder.Weight("position_embedding", 1, config.Grid * config.Grid, width);
        var memory = holistic + decoder.Weight("slot_position_embedding", 1, slots, width);
        // The authors' code gives columns for rows here, which matters where a picture is not square.
        var x = decoder["norm"].LayerNorm(ValueShape.Concat(1, memory, map.Flatten(2).Swap(1, 2) + Positions(table, config.Grid, columns, rows)));
        for (var i = 0; i < _decoder.Depth; i++) x = CausalLayer(decoder["transformer.layers"][i], x, _decoder, null);
        x = model.Stage("decoder_transformer", x);
        var places = x.Slice(1, slots - _decoder.ShiftK, slots - _decoder.ShiftK + rows * columns);
        g.Output("reconstruction", LdmAutoencoder.Decoder(model["decoder"], places.Swap(1, 2).Reshape(codes.Shape[0], width, rows, columns), config.Ddconfig(config.DecoderChMult)));
        if (_decoder.EnableVfmRecon) g.Output("recon_latent", VisionPrediction(decoder, holistic, table));
    }

    // DINOv2's features out of the holistic tokens, which look at themselves causally; masks on the 16x16 grid look at everything.
    private Value VisionPrediction(Scope decoder, Value holistic, Value table)
    {
        const int Side = 16;
        var (g, slots, width) = (decoder.Graph, _decoder.NCarrier, _decoder.Dim);
        var masks = (decoder.Weight("mask_embedding", 1, 1, width) + Positions(table, config.Grid, Side, Side)).Expand(holistic.Shape[0], Side * Side, width);
        var total = slots + Side * Side;
        var bias = new float[total * total];
        for (var i = 0; i < slots; i++) bias.AsSpan(i * total + i + 1, total - i - 1).Fill(AttentionLayers.Masked);
        var mask = g.Constant<float>(bias, 1, 1, total, total);
        var x = decoder["norm_vfm"].LayerNorm(ValueShape.Concat(1, holistic, masks));
        for (var i = 0; i < _decoder.Depth; i++) x = CausalLayer(decoder["transformer.layers"][i], x, _decoder, mask);
        // In the authors' code as wide as DINOv2-L, whatever the encoder takes.
        return decoder["proj"].Linear(x.From(1, slots), 1024);
    }

    private Value Table(Scope model, string quantizer, int width)
    {
        var table = model[quantizer]["embedding"].Weight("weight", config.CodebookSize, width);
        return config.CodebookL2Norm ? table.L2Normalize() : table;
    }

    private Value Nearest(Scope model, string quantizer, Value z, int width) => VectorQuantization.Nearest(config.CodebookL2Norm ? z.L2Normalize() : z, Table(model, quantizer, width));

    private static Value Project(Scope mlp, Value x, int width)
    {
        x = mlp[1].LayerNorm(mlp[0].Linear(x, width, bias: false)).Relu();
        return mlp[4].LayerNorm(mlp[3].Linear(x, width, bias: false));
    }

    private static Value FreeLayer(Scope layer, Value x, HitaTransformer size)
    {
        var (attention, inner, normed) = (layer["attn1"], size.NumHead * size.DimHead, layer["norm1"].LayerNorm(x));
        Value Map(string name) => attention[name].Linear(normed, inner, bias: false);
        x += attention["to_out.0"].Linear(AttentionLayers.Attention(Map("to_q"), Map("to_k"), Map("to_v"), new() { Heads = size.NumHead }), size.Dim);
        return x + SwiGlu(layer["ffnet"], layer["norm2"].LayerNorm(x), size);
    }

    private static Value CausalLayer(Scope layer, Value x, HitaTransformer size, Value? mask)
    {
        var (attention, normed) = (layer["attn1"], layer["norm1"].LayerNorm(x));
        Value Map(string name) => attention[name].Linear(normed, size.Dim);
        x += attention["out_proj"].Linear(AttentionLayers.Attention(Map("q_proj"), Map("k_proj"), Map("v_proj"), new() { Heads = size.NumHead, Causal = mask is null, Bias = mask }), size.Dim);
        return x + SwiGlu(layer["ffnet"], layer["norm2"].LayerNorm(x), size);
    }

    private static Value SwiGlu(Scope mlp, Value x, HitaTransformer size)
    {
        var (gate, value) = mlp["w12"].Linear(x, 2 * (((int)(size.MlpDim * 2 / 3.0) + 7) / 8 * 8)).Chunk2();
        return mlp["w3"].Linear(gate.Silu() * value, size.Dim);
    }

    // (1, G G, D) -> (1, rows columns, D); the factor, a little more than the ratio, is used for the places.
    private static Value Positions(Value table, int grid, int rows, int columns)
    {
        if ((rows, columns) == (grid, grid)) return table;
        var map = table.Reshape(1, grid, grid, table.Shape[2]).ChannelsFirst();
        return map.InterpolateBy(Interpolation.Cubic, [(rows + 0.1) / grid, (columns + 0.1) / grid]).ChannelsLast().Reshape(1, rows * columns, table.Shape[2]);
    }

    // Kornia's smoothing before it shrinks: a Gaussian whose deviation is half of what the factor exceeds one by, on at least three pixels.
    private static Value Blur(Value image, double factor)
    {
        if (factor <= 1) return image;
        var sigma = Math.Max((factor - 1) / 2, 0.001);
        var size = (int)Math.Max(4 * sigma, 3);
        size += 1 - size % 2;
        var line = Enumerable.Range(0, size).Select(i => Math.Exp(-Math.Pow(i - size / 2, 2) / (2 * sigma * sigma))).ToArray();
        var sum = line.Sum();
        var kernel = new float[3 * size * size];
        for (var i = 0; i < kernel.Length; i++) kernel[i] = (float)(line[i / size % size] * line[i % size] / (sum * sum));
        var padded = image.Pad([(2, size / 2, size / 2), (3, size / 2, size / 2)], PadMode.Reflect);
        return image.Graph.Node("blur", "Conv", [padded, image.Graph.Constant<float>(kernel, 3, 1, size, size)], ElementType.Float32, image.Shape, ("kernel_shape", (long[])[size, size]), ("group", 3L));
    }
}
