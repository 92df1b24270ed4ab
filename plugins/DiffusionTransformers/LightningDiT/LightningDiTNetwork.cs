// Reconstruction vs. Generation: Taming Optimization Dilemma in Latent Diffusion Models. Yao, Yang, Wang. arXiv:2501.01423. github.com/hustvl/LightningDiT
// Published layouts: lightningdit-*.pt (train.py's {model, ema, ...}) with config.yaml and latents_stats.pt; VA-VAE's *.pt or *.ckpt (LDM AutoencoderKL). Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.LightningDiT;

/// <summary>The arguments of the authors' constructor.</summary>
public sealed record LightningDiTConfig
{
    /// <summary>Height and width of the latent.</summary>
    [Range(1, 4096)] public int InputSize { get; init; } = 16;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 1;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 32;
    /// <summary>Width of the tokens.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 1152;
    /// <summary>Number of blocks.</summary>
    [Range(1, 1024)] public int Depth { get; init; } = 28;
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int NumHeads { get; init; } = 16;
    /// <summary>Width of the MLP over that of the tokens.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Share of labels dropped in training; above 0 there is a null class.</summary>
    public double ClassDropoutProb { get; init; } = 0.1;
    /// <summary>Number of classes; the null class comes after them.</summary>
    [Range(1, 1 << 20)] public int NumClasses { get; init; } = 1000;
    /// <summary>True when twice the channels are predicted, of which the second half is dropped.</summary>
    public bool LearnSigma { get; init; }
    /// <summary>True when queries and keys are normalised, head by head.</summary>
    public bool UseQknorm { get; init; }
    /// <summary>True for a gated MLP.</summary>
    public bool UseSwiglu { get; init; }
    /// <summary>True for rotary positions beside the added ones.</summary>
    public bool UseRope { get; init; }
    /// <summary>True for RMS norms with weights, false for layer norms without.</summary>
    public bool UseRmsnorm { get; init; }
    /// <summary>True when blocks are scaled and gated but not shifted.</summary>
    public bool WoShift { get; init; }

    internal long[] Sample => [InChannels, InputSize, InputSize];

    internal int Rows => InputSize / PatchSize;

    internal int OutChannels => LearnSigma ? 2 * InChannels : InChannels;
}

/// <summary>DiT with rotary positions, RMS norms and gated MLPs (section 4.2).</summary>
internal static class LightningDiTNetwork
{
    /// <summary>Predicts the velocity. x (B, C, H, W), t (B), y (B) -> (B, C, H, W).</summary>
    public static Value Build(Scope dit, Value x, Value t, Value y, LightningDiTConfig config)
    {
        var (width, tokens) = ((long)config.HiddenSize, (long)config.Rows * config.Rows);
        var h = dit.Stage("patch_embed", dit["x_embedder.proj"].PatchEmbed(x, width, config.PatchSize) + dit.Weight("pos_embed", 1, tokens, width));  // (B, N, D)
        var condition = dit.Stage("timestep_embed", dit["t_embedder"].TimestepEmbedding(t, width))
                      + dit["y_embedder.embedding_table"].Embedding(y, config.NumClasses + (config.ClassDropoutProb > 0 ? 1 : 0), width);
        var rope = config.UseRope ? Rope(dit["feat_rope"], tokens, width / config.NumHeads) : default;

        for (var i = 0; i < config.Depth; i++)
            h = dit.Stage($"block_{i}", Block(dit, i, h, condition, rope, config));

        var final = dit["final_layer"];
        var (shift, scale) = final["adaLN_modulation.1"].Linear(condition.Silu(), 2 * width).Chunk2();
        var patches = final["linear"].Linear(Norm(final["norm_final"], h, config).Modulate(shift, scale), (long)config.PatchSize * config.PatchSize * config.OutChannels);
        return dit.Stage("final_layer", patches).Unpatchify(config.PatchSize, config.Rows, config.Rows, config.OutChannels).Take(1, config.InChannels);
    }

    private static Value Block(Scope dit, int i, Value h, Value condition, (Value, Value) rope, LightningDiTConfig config)
    {
        var block = dit["blocks"][i];
        var parts = block["adaLN_modulation"].Modulation(condition, config.WoShift ? 4 : 6);
        // Without shifts the parts are scale, gate, scale, gate.
        var (shift1, scale1, gate1, shift2, scale2, gate2) = config.WoShift ? (null, parts[0], parts[1], null, parts[2], parts[3]) : (parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]);
        var attention = Attention(block["attn"], Modulated(Norm(block["norm1"], h, config), shift1, scale1), rope, config);
        h += dit.Stage($"block_{i}_attention", attention).Gated(gate1);
        return h + Mlp(block["mlp"], Modulated(Norm(block["norm2"], h, config), shift2, scale2), config).Gated(gate2);
    }

    private static Value Attention(Scope attn, Value x, (Value Cos, Value Sin) rope, LightningDiTConfig config)
    {
        var (heads, width) = (config.NumHeads, (long)config.HiddenSize);
        var (q, k, v) = attn["qkv"].Qkv(x, width);
        if (config.UseQknorm) (q, k) = (HeadNorm(attn["q_norm"], q, config), HeadNorm(attn["k_norm"], k, config));
        if (config.UseRope) (q, k) = (q.Rotary(heads, rope.Cos, rope.Sin, interleaved: true), k.Rotary(heads, rope.Cos, rope.Sin, interleaved: true));
        return attn["proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = heads }), width);
    }

    private static Value Mlp(Scope mlp, Value x, LightningDiTConfig config)
    {
        var hidden = (long)(config.HiddenSize * config.MlpRatio);
        return config.UseSwiglu ? mlp.SwiGlu(x, (long)(2 / 3.0 * hidden)) : mlp.Mlp(x, hidden, v => v.Gelu(Gelu.Tanh));
    }

    private static Value Norm(Scope norm, Value x, LightningDiTConfig config) => config.UseRmsnorm ? norm.RmsNorm(x) : x.LayerNorm(1e-6);

    private static Value HeadNorm(Scope norm, Value x, LightningDiTConfig config) => x.PerHead(config.NumHeads, head => config.UseRmsnorm ? norm.RmsNorm(head) : norm.LayerNorm(head));

    private static Value Modulated(Value x, Value? shift, Value scale) => shift is null ? x * (scale.Unsqueeze(1) + 1) : x.Modulate(shift, scale);

    // The buffers repeat each angle for both channels of a pair.
    private static (Value Cos, Value Sin) Rope(Scope rope, long tokens, long width) => (rope.Weight("freqs_cos", tokens, width).Stride(1, 0, 2), rope.Weight("freqs_sin", tokens, width).Stride(1, 0, 2));
}
