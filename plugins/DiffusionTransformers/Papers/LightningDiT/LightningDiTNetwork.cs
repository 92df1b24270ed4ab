// Reconstruction vs. Generation: Taming Optimization Dilemma in Latent Diffusion Models. Yao, Yang, Wang. arXiv:2501.01423. github.com/hustvl/LightningDiT
// Published layouts: lightningdit-*.pt (train.py's {model, ema, ...}) with config.yaml and latents_stats.pt; VA-VAE's *.pt or *.ckpt (LDM AutoencoderKL). Deviations: none.
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.LightningDiT;

/// <summary>The arguments of the authors' constructor.</summary>
public sealed record LightningDiTConfig : DiTConfig
{
    /// <summary>With the authors' defaults.</summary>
    public LightningDiTConfig() => (InChannels, LearnSigma) = (32, false);

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
}

/// <summary>DiT with rotary positions, RMS norms and gated MLPs (section 4.2).</summary>
internal static class LightningDiTNetwork
{
    /// <summary>Predicts the velocity. x (B, C, H, W), t (B), y (B) -> (B, C, H, W).</summary>
    public static Value Build(Scope dit, Value x, Value t, Value y, LightningDiTConfig config)
    {
        var (width, tokens) = ((long)config.HiddenSize, (long)config.Rows * config.Rows);
        var (h, condition) = DiTNetwork.Embed(dit, x, t, y, config);
        var rope = config.UseRope ? Rope(dit["feat_rope"], tokens, width / config.NumHeads) : default;

        for (var i = 0; i < config.Depth; i++)
        {
            var stage = $"block_{i}_attention";
            h = dit.Stage($"block_{i}", Block(dit["blocks"][i], h, condition, rope, config.NumHeads, config, attention => dit.Stage(stage, attention)));
        }

        return Final(dit["final_layer"], dit, h, condition, (long)config.PatchSize * config.PatchSize * config.OutChannels, config)
            .Unpatchify(config.PatchSize, config.Rows, config.Rows, config.OutChannels).Take(1, config.InChannels);
    }

    /// <summary>A block. h (B, N, D), condition (B, D) or one for each token (B, N, D).</summary>
    public static Value Block(Scope block, Value h, Value condition, (Value, Value) rope, int heads, LightningDiTConfig config, Func<Value, Value>? seen = null)
    {
        var parts = block["adaLN_modulation"].Modulation(condition, config.WoShift ? 4 : 6);
        // Without shifts the parts are scale, gate, scale, gate.
        var (shift1, scale1, gate1, shift2, scale2, gate2) = config.WoShift ? (null, parts[0], parts[1], null, parts[2], parts[3]) : (parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]);
        var attention = Attention(block["attn"], Modulated(Norm(block["norm1"], h, config), shift1, scale1), rope, heads, config);
        h += (seen?.Invoke(attention) ?? attention).Gated(gate1);
        return h + Mlp(block["mlp"], Modulated(Norm(block["norm2"], h, config), shift2, scale2), config).Gated(gate2);
    }

    /// <summary>The last norm, modulated, and the map to patches.</summary>
    public static Value Final(Scope final, Scope dit, Value h, Value condition, long outputs, LightningDiTConfig config)
    {
        var (shift, scale) = final["adaLN_modulation.1"].Linear(condition.Silu(), 2 * h.Shape[-1].Size).Chunk2();
        return dit.Stage("final_layer", final["linear"].Linear(Modulated(Norm(final["norm_final"], h, config), shift, scale), outputs));
    }

    /// <summary>The stored angles of rotary positions, of which the buffers repeat each for both channels of a pair.</summary>
    public static (Value Cos, Value Sin) Rope(Scope rope, long tokens, long width) => (rope.Weight("freqs_cos", tokens, width).Stride(1, 0, 2), rope.Weight("freqs_sin", tokens, width).Stride(1, 0, 2));

    private static Value Attention(Scope attn, Value x, (Value Cos, Value Sin) rope, int heads, LightningDiTConfig config)
    {
        var width = x.Shape[-1].Size;
        var (q, k, v) = attn["qkv"].Qkv(x, width);
        if (config.UseQknorm) (q, k) = (HeadNorm(attn["q_norm"], q, heads, config), HeadNorm(attn["k_norm"], k, heads, config));
        if (config.UseRope) (q, k) = (q.Rotary(heads, rope.Cos, rope.Sin, interleaved: true), k.Rotary(heads, rope.Cos, rope.Sin, interleaved: true));
        return attn["proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = heads }), width);
    }

    private static Value Mlp(Scope mlp, Value x, LightningDiTConfig config)
    {
        var hidden = (long)(x.Shape[-1].Size * config.MlpRatio);
        return config.UseSwiglu ? mlp.SwiGlu(x, (long)(2 / 3.0 * hidden)) : mlp.Mlp(x, hidden, v => v.Gelu(Gelu.Tanh));
    }

    private static Value Norm(Scope norm, Value x, LightningDiTConfig config) => config.UseRmsnorm ? norm.RmsNorm(x) : x.LayerNorm(1e-6);

    private static Value HeadNorm(Scope norm, Value x, int heads, LightningDiTConfig config) => x.PerHead(heads, head => config.UseRmsnorm ? norm.RmsNorm(head) : norm.LayerNorm(head));

    private static Value Modulated(Value x, Value? shift, Value scale)
    {
        var scaled = x * ((scale.Rank == 3 ? scale : scale.Unsqueeze(1)) + 1);
        return shift is null ? scaled : scaled + (shift.Rank == 3 ? shift : shift.Unsqueeze(1));
    }
}
