using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Section <c>trainer.params.model.params</c> of the published file.</summary>
public sealed record SemanticistConfig
{
    /// <summary>Name of the encoder.</summary>
    public string Encoder { get; init; } = "vit_base_patch16";
    /// <summary>Sizes of the encoder, where its name does not tell.</summary>
    public SemanticistEncoder? EncoderConfig { get; init; }
    /// <summary>Size of the pictures.</summary>
    [Range(8, 4096)] public int EncImgSize { get; init; } = 256;
    /// <summary>Whether slots see only earlier slots.</summary>
    public bool EncCausal { get; init; } = true;
    /// <summary>Whether a perceptron, rather than a linear map, makes slots.</summary>
    [AllowedValues(false)] public bool EncUseMlp { get; init; }
    /// <summary>Tokens a picture.</summary>
    public int NumSlots { get; init; } = 256;
    /// <summary>Width of a token.</summary>
    public int SlotDim { get; init; } = 16;
    /// <summary>Whether each slot is standardised.</summary>
    public bool NormSlots { get; init; } = true;
    /// <summary>Name of the decoder.</summary>
    public string DitModel { get; init; } = "DiT-L-2";
    /// <summary>Sizes of the decoder, where its name does not tell.</summary>
    public SemanticistDit? DitConfig { get; init; }
    /// <summary>Name of the autoencoder.</summary>
    public string Vae { get; init; } = "xwen99/mar-vae-kl16";
    /// <summary>Its sizes.</summary>
    public AutoencoderKlConfig VaeConfig { get; init; } = new()
    {
        BlockOutChannels = [128, 128, 256, 256, 512], LayersPerBlock = 2, LatentChannels = 16, ScalingFactor = 0.2325,
        DownBlockTypes = [.. Enumerable.Repeat("DownEncoderBlock2D", 5)], UpBlockTypes = [.. Enumerable.Repeat("UpDecoderBlock2D", 5)],
    };
    /// <summary>Steps of the decoder: a number, several by section, or <c>ddimN</c>.</summary>
    public string NumSamplingSteps { get; init; } = "250";

    /// <summary>Sizes of the encoder.</summary>
    public SemanticistEncoder EncoderSizes => EncoderConfig ?? Encoder switch
    {
        "vit_base_patch16" => new(),
        "vit_large_patch16" => new() { EmbedDim = 1024, Depth = 24, NumHeads = 16 },
        _ => throw Unknown(Encoder),
    };

    /// <summary>Sizes of the decoder.</summary>
    public SemanticistDit DitSizes => DitConfig ?? DitModel switch
    {
        "DiT-XL-2" => new() { Depth = 28, HiddenSize = 1152, NumHeads = 16 },
        "DiT-L-2" => new() { Depth = 24, HiddenSize = 1024, NumHeads = 16 },
        "DiT-B-2" => new() { Depth = 12, HiddenSize = 768, NumHeads = 12 },
        "DiT-S-2" => new() { Depth = 12, HiddenSize = 384, NumHeads = 6 },
        _ => throw Unknown(DitModel),
    };

    /// <summary>Channels of the latent.</summary>
    public int Channels => Vae.Contains("mar", StringComparison.Ordinal) ? 16 : 4;
    /// <summary>Places of the latent along each side.</summary>
    public int LatentSize => EncImgSize / (Vae.Contains("mar", StringComparison.Ordinal) ? 16 : 8);

    private static CheckpointException Unknown(string name) => new(ErrorCodes.ConfigInvalid, "The size of a transformer is not known.") { Found = name };
}

/// <summary>Sizes of the encoder.</summary>
public sealed record SemanticistEncoder
{
    /// <summary>Pixels a patch.</summary>
    public int PatchSize { get; init; } = 16;
    /// <summary>Width.</summary>
    public int EmbedDim { get; init; } = 768;
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 12;
    /// <summary>Heads.</summary>
    public int NumHeads { get; init; } = 12;
    /// <summary>Width of the perceptrons, in units of the width.</summary>
    public double MlpRatio { get; init; } = 4;
}

/// <summary>Sizes of the decoder.</summary>
public sealed record SemanticistDit
{
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 28;
    /// <summary>Width.</summary>
    public int HiddenSize { get; init; } = 1152;
    /// <summary>Places a patch.</summary>
    public int PatchSize { get; init; } = 2;
    /// <summary>Heads.</summary>
    public int NumHeads { get; init; } = 16;
}

/// <summary>A transformer that gathers a picture into slots, and a DiT that draws it from them.</summary>
internal static class SemanticistNetwork
{
    /// <summary>The call <c>encode_slots</c>: image (B, 3, S, S) -> latent (B, slots, C).</summary>
    public static void EncodeSlots(Scope model, SemanticistConfig config)
    {
        var (g, encoder, size) = (model.Graph, model["encoder"], config.EncoderSizes);
        var image = g.Input("image", [TokenizerInputs.Batch, 3, config.EncImgSize, config.EncImgSize]);
        var map = encoder.Stage("patch_embed", encoder["patch_embed.proj"].Conv(image, size.EmbedDim, size.PatchSize, stride: size.PatchSize));
        var patches = map.Flatten(2).Swap(1, 2);
        var (batch, seen) = (image.Shape[0], patches.Shape[1].Int + 1);
        var x = ValueShape.Concat(1, encoder.Weight("cls_token", 1, 1, size.EmbedDim).Expand(batch, 1, size.EmbedDim), patches, encoder.Weight("slot_embed", 1, config.NumSlots, size.EmbedDim).Expand(batch, config.NumSlots, size.EmbedDim));
        x += encoder.Weight("pos_embed", 1, seen + config.NumSlots, size.EmbedDim);
        var mask = config.EncCausal ? SlotMask(g, seen, config.NumSlots) : null;
        for (var i = 0; i < size.Depth; i++) x = encoder.Stage($"encoder_block_{i}", encoder["blocks"][i].VitBlock(x, size.NumHeads, mask: mask, mlpRatio: size.MlpRatio));
        var slots = model["encoder2slot"].Linear(model.Stage("encoder", encoder["norm"].LayerNorm(x, 1e-6).From(1, seen)), config.SlotDim);
        g.Output("latent", config.NormSlots ? Standardised(slots) : slots);
    }

    /// <summary>The call <c>denoise</c>: latents (B, C, h, w), timestep (B), slots (B, n, C), kept (B, n) 1 where a slot is seen -> eps (B, 2 C, h, w): noise, then variance.</summary>
    public static void Denoise(Scope model, SemanticistConfig config)
    {
        var (g, dit, size) = (model.Graph, model["dit"], config.DitSizes);
        var latents = g.Input("latents", [TokenizerInputs.Batch, config.Channels, config.LatentSize, config.LatentSize]);
        var time = dit["t_embedder.mlp"][0].Linear(g.Input("timestep", ElementType.Int64, [TokenizerInputs.Batch]).Sinusoid(256), size.HiddenSize);
        time = model.Stage("time_embedding", dit["t_embedder.mlp"][2].Linear(time.Silu(), size.HiddenSize));
        var kept = g.Input("kept", [TokenizerInputs.Batch, config.NumSlots]).Greater(g.Scalar(ElementType.Float32, 0.5)).Unsqueeze(-1);
        var slots = kept.Where(g.Input("slots", [TokenizerInputs.Batch, config.NumSlots, config.SlotDim]), dit.Weight("null_cond", 1, config.NumSlots, config.SlotDim));

        var grid = config.LatentSize / size.PatchSize;
        var patches = dit["x_embedder.proj"].PatchEmbed(latents, size.HiddenSize, size.PatchSize) + dit.Weight("pos_embed", 1, grid * grid, size.HiddenSize);
        var x = ValueShape.Concat(1, patches, dit["autoenc_cond_embedder"].Linear(slots, size.HiddenSize));
        for (var i = 0; i < size.Depth; i++) x = model.Stage($"dit_block_{i}", DitBlock(dit["blocks"][i], x, time, size));

        var last = dit["final_layer"];
        var (shift, scale) = last["adaLN_modulation.1"].Linear(time.Silu(), 2 * size.HiddenSize).Chunk2();
        var pixels = last["linear"].Linear(x.Take(1, grid * grid).LayerNorm(1e-6).Modulate(shift, scale), 2 * config.Channels * size.PatchSize * size.PatchSize);
        g.Output("eps", pixels.Unpatchify(size.PatchSize, grid, grid, 2 * config.Channels));
    }

    /// <summary>Latents to pictures in 0..1. The network <c>vae_decode</c>.</summary>
    public static void Decode(Scope model, SemanticistConfig config)
    {
        var latents = model.Graph.Input("latents", [TokenizerInputs.Batch, config.Channels, config.LatentSize, config.LatentSize]);
        model.Graph.Output("reconstruction", AutoencoderKl.Decode(model["vae"], latents / config.VaeConfig.ScalingFactor, config.VaeConfig) * 0.5 + 0.5);
    }

    private static Value DitBlock(Scope block, Value x, Value time, SemanticistDit size)
    {
        var (shift1, scale1, gate1, shift2, scale2, gate2) = block["adaLN_modulation.1"].Linear(time.Silu(), 6 * size.HiddenSize).Chunk6();
        x += gate1.Unsqueeze(1) * block["attn"].SelfAttention(x.LayerNorm(1e-6).Modulate(shift1, scale1), size.NumHeads);
        return x + gate2.Unsqueeze(1) * block["mlp"].Mlp(x.LayerNorm(1e-6).Modulate(shift2, scale2), 4 * size.HiddenSize, value => value.Gelu(Gelu.Tanh));
    }

    // As published: the unbiased deviation, and nothing that keeps it from zero.
    private static Value Standardised(Value slots)
    {
        var centred = slots - slots.Mean(-1, keep: true);
        return centred / (centred.Square().Sum(-1, keep: true) / (slots.Shape[-1].Size - 1)).Sqrt();
    }

    // Class token and patches see each other; a slot sees them, and slots up to itself.
    private static Value SlotMask(Graph graph, int seen, int slots)
    {
        var count = seen + slots;
        var mask = new float[count * count];
        for (var query = 0; query < count; query++)
        {
            for (var key = seen; key < count; key++) mask[query * count + key] = query >= seen && key <= query ? 0 : AttentionLayers.Masked;
        }

        return graph.Constant<float>(mask, 1, 1, count, count);
    }
}
