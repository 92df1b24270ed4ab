using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>transformers' configuration of a SigLIP vision tower.</summary>
public sealed record SiglipVisionConfig
{
    /// <summary>Width.</summary>
    public int HiddenSize { get; init; } = 1152;
    /// <summary>Width of the perceptrons.</summary>
    public int IntermediateSize { get; init; } = 4304;
    /// <summary>Blocks.</summary>
    public int NumHiddenLayers { get; init; } = 27;
    /// <summary>Heads.</summary>
    public int NumAttentionHeads { get; init; } = 16;
    /// <summary>Size of the pictures.</summary>
    public int ImageSize { get; init; } = 384;
    /// <summary>Pixels a patch.</summary>
    public int PatchSize { get; init; } = 14;

    /// <summary>Patches along each side.</summary>
    public int Grid => ImageSize / PatchSize;
}

/// <summary>SigLIP's vision tower (Zhai et al., arXiv:2303.15343), piece by piece, for tokenizers that take features out of its middle.</summary>
internal static class SiglipVision
{
    /// <summary>Patches with positions. image (B, 3, S, S) -> (B, N, D).</summary>
    public static Value Embed(Scope vision, Value image, SiglipVisionConfig config) =>
        vision["embeddings.patch_embedding"].PatchEmbed(image, config.HiddenSize, config.PatchSize) + vision["embeddings.position_embedding"].Weight("weight", config.Grid * config.Grid, config.HiddenSize);

    /// <summary>A block. x (B, N, D) -> (B, N, D).</summary>
    public static Value Layer(Scope vision, int index, Value x, SiglipVisionConfig config)
    {
        var (block, width) = (vision["encoder.layers"][index], config.HiddenSize);
        var normed = block["layer_norm1"].LayerNorm(x, 1e-6);
        Value Map(string name) => block["self_attn"][name].Linear(normed, width);
        x += block["self_attn.out_proj"].Linear(AttentionLayers.Attention(Map("q_proj"), Map("k_proj"), Map("v_proj"), new() { Heads = config.NumAttentionHeads }), width);
        return x + block["mlp"].Mlp(block["layer_norm2"].LayerNorm(x, 1e-6), config.IntermediateSize, value => value.Gelu(Gelu.Tanh));
    }

    /// <summary>One vector for the picture: a learned query looks at all places. x (B, N, D), after <c>post_layernorm</c> -> (B, D).</summary>
    public static Value Pool(Scope vision, Value x, SiglipVisionConfig config)
    {
        var head = vision["head"];
        var pooled = head["attention"].MultiheadAttention(head.Weight("probe", 1, 1, config.HiddenSize).Expand(x.Shape[0], 1, config.HiddenSize), x, x, config.NumAttentionHeads);
        return (pooled + head["mlp"].Mlp(head["layernorm"].LayerNorm(pooled, 1e-6), config.IntermediateSize, value => value.Gelu(Gelu.Tanh))).Squeeze(1);
    }
}
