using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.DiT;

/// <summary>Keys of diffusers' DiTTransformer2DModel.</summary>
public sealed record DiffusersDiTConfig
{
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 16;
    /// <summary>Width of a head.</summary>
    [Range(1, 4096)] public int AttentionHeadDim { get; init; } = 72;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 4;
    /// <summary>Channels predicted; as many as go in when left out.</summary>
    public int? OutChannels { get; init; }
    /// <summary>Number of blocks.</summary>
    [Range(1, 1024)] public int NumLayers { get; init; } = 28;
    /// <summary>True when queries, keys and values have a bias.</summary>
    public bool AttentionBias { get; init; } = true;
    /// <summary>Height and width of the latent.</summary>
    [Range(1, 4096)] public int SampleSize { get; init; } = 32;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 2;
    /// <summary>The MLP's activation.</summary>
    [AllowedValues("gelu-approximate", "gelu", "geglu", "geglu-approximate", "swiglu", "linear-silu")] public string ActivationFn { get; init; } = "gelu-approximate";
    /// <summary>Number of classes; the null class comes after them.</summary>
    [Range(1, 1 << 20)] public int NumEmbedsAdaNorm { get; init; } = 1000;
    /// <summary>True when the norm before the MLP has weights.</summary>
    public bool NormElementwiseAffine { get; init; }
    /// <summary>Epsilon of the norm before the MLP.</summary>
    public double NormEps { get; init; } = 1e-5;
    /// <summary>Only adaLN-Zero is published.</summary>
    [AllowedValues("ada_norm_zero")] public string NormType { get; init; } = "ada_norm_zero";

    internal int Width => NumAttentionHeads * AttentionHeadDim;

    internal int Rows => SampleSize / PatchSize;

    internal int Outputs => OutChannels ?? InChannels;

    internal long[] Sample => [InChannels, SampleSize, SampleSize];
}

/// <summary>
/// The network in diffusers' layout: separate maps for queries, keys and values, computed positions, and in every block its own embedding of time and label, whose sinusoids are spaced a little wider.
/// </summary>
internal static class DiffusersDiTNetwork
{
    /// <summary>Predicts noise and variance. x (B, C, H, W), t (B), y (B) -> (B, 2C, H, W).</summary>
    public static Value Build(Scope dit, Value x, Value t, Value y, DiffusersDiTConfig config)
    {
        var width = config.Width;
        var h = dit["pos_embed.proj"].PatchEmbed(x, width, config.PatchSize) + SinCosPositions.Grid(dit.Graph, config.Rows, config.Rows, width);
        dit.Stage("patch_embed", h);
        var condition = dit.Stage("timestep_and_label_embed", Condition(dit["transformer_blocks"][0]["norm1.emb"], t, y, config));

        for (var i = 0; i < config.NumLayers; i++)
        {
            var block = dit["transformer_blocks"][i];
            h = dit.Stage($"block_{i}", Block(block, h, i == 0 ? condition : Condition(block["norm1.emb"], t, y, config), config));
        }

        var (shift, scale) = dit["proj_out_1"].Linear(condition.Silu(), 2 * width).Chunk2();
        var patches = dit["proj_out_2"].Linear(h.LayerNorm(1e-6).Modulate(shift, scale), config.PatchSize * config.PatchSize * config.Outputs);
        return patches.Unpatchify(config.PatchSize, config.Rows, config.Rows, config.Outputs);
    }

    private static Value Condition(Scope embed, Value t, Value y, DiffusersDiTConfig config) =>
        embed["timestep_embedder"].DiffusersTimeMlp(t.Sinusoid(256, shift: 1), config.Width)
        + embed["class_embedder.embedding_table"].Embedding(y, config.NumEmbedsAdaNorm + 1, config.Width);

    private static Value Block(Scope block, Value h, Value condition, DiffusersDiTConfig config)
    {
        var width = config.Width;
        var parts = block["norm1.linear"].Linear(condition.Silu(), 6 * width).Chunk(6, -1);
        h += block["attn1"].DiffusersAttention(h.LayerNorm(1e-6).Modulate(parts[0], parts[1]), config.NumAttentionHeads, bias: config.AttentionBias).Gated(parts[2]);
        var normed = config.NormElementwiseAffine ? block["norm3"].LayerNorm(h, config.NormEps) : h.LayerNorm(config.NormEps);
        h += block["ff"].DiffusersFeedForward(normed.Modulate(parts[3], parts[4]), config.ActivationFn).Gated(parts[5]);
        return h;
    }
}
