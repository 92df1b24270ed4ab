// Hierarchical Masked Autoregressive Models with Low-Resolution Token Pivots. Zheng, Li, Pan, Deng, Yao, Zhang, Mei. arXiv:2505.20288. github.com/HiDream-ai/himar
// Published layout: checkpoint-last.pth (key model_ema), the constructor's arguments as config.json; for pictures vae/kl16.ckpt beside them. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The arguments of the authors' <c>HiMAR</c>; defaults are those of Hi-MAR-L.</summary>
public sealed record HiMarConfig : MarArguments
{
    /// <summary>Size of the pictures, in pixels.</summary>
    [Range(1, 8192)] public int ImgSize { get; init; } = 256;
    /// <summary>Pixels a place of the latent.</summary>
    [Range(1, 256)] public int VaeStride { get; init; } = 16;
    /// <summary>Places of the latent a token, along each side: one in the authors' code.</summary>
    [AllowedValues(1)] public int PatchSize { get; init; } = 1;
    /// <summary>Channels of a pivot.</summary>
    [Range(1, 4096)] public int CondDim { get; init; } = 16;
    /// <summary>Pivots along each side.</summary>
    [Range(1, 256)] public int CondScale { get; init; } = 4;
    /// <summary>Places that hold the class.</summary>
    [Range(0, 65536)] public int BufferSize { get; init; } = 64;
    /// <summary>Residual blocks of the pivots' head.</summary>
    [Range(1, 1024)] public int DifflossD { get; init; } = 3;
    /// <summary>Width of the pivots' head.</summary>
    [Range(1, 65536)] public int DifflossW { get; init; } = 1024;
    /// <summary>Steps of the pivots' diffusion.</summary>
    public string NumSamplingSteps { get; init; } = "100";
    /// <summary>Blocks of the grid's head.</summary>
    [Range(1, 1024)] public int GdmD { get; init; } = 3;
    /// <summary>Width of the grid's head.</summary>
    [Range(1, 65536)] public int GdmW { get; init; } = 768;
    /// <summary>Heads of the grid's head.</summary>
    [Range(1, 1024)] public int Head { get; init; } = 8;
    /// <summary>Width inside the grid's head's feed-forward networks, in units of its width.</summary>
    public double Ratio { get; init; } = 4;

    internal int Side => ImgSize / VaeStride / PatchSize;

    internal int Pivots => CondScale * CondScale;

    internal int Positions => Pivots + Side * Side;
}

/// <summary>Hi-MAR's masked autoencoder, told which of the two stages it is at, and the denoiser of the whole grid.</summary>
internal static class HiMarNetwork
{
    private const double Epsilon = 1e-6;

    /// <summary>
    /// pivots (B, P, C'), at the second stage what the first said of them (B, P, D); tokens (B, N, C); labels (B); kept (B, buffer + known): places of the buffer and of what is known; sources (B, buffer + P + N): for each place its
    /// row among those kept, or their number plus its own when it is unknown -> z (B, P + N, D).
    /// </summary>
    public static void Conditions(Scope mar, HiMarConfig config, int stage)
    {
        var (g, batch, width) = (mar.Graph, Dim.Symbol("batch"), (long)config.EncoderEmbedDim);
        var (all, buffer) = (config.Positions, config.BufferSize);
        var labels = g.Input("labels", ElementType.Int64, [batch]);
        var pivots = stage == 0
            ? mar["cond_proj"].Linear(g.Input("pivots", [batch, config.Pivots, config.CondDim]), width)
            : mar["cond_z_proj"].Linear(g.Input("pivots", [batch, config.Pivots, config.DecoderEmbedDim]), width);
        var tokens = mar["z_proj"].Linear(g.Input("tokens", [batch, all - config.Pivots, config.VaeEmbedDim]), width);
        var kept = g.Input("kept", ElementType.Int64, [batch, Dim.Symbol("kept")]);
        var sources = g.Input("sources", ElementType.Int64, [batch, buffer + all]);
        // Tables hold the rows of both stages.
        Value Half(string name, long rows, long columns) => mar.Weight(name, 1, 2 * rows, columns).Slice(1, stage * rows, (stage + 1) * rows);

        var classes = ValueShape.Concat(0, mar["class_emb"].Weight("weight", config.ClassNum, width), mar.Weight("fake_latent", 1, width));
        var x = ValueShape.Concat(1, classes.Gather(labels).Unsqueeze(1).Expand(batch, buffer, width), pivots, tokens) + Half("encoder_pos_embed_learned", buffer + all, width);
        x = mar["z_proj_ln"].LayerNorm(x, Epsilon).Rows(kept);
        x = Stack(mar, "encoder", x, stage, config.EncoderDepth, config.EncoderNumHeads, config.MlpRatio);
        x = mar.Stage($"stage{stage + 1}_encoder_out", mar["encoder_norm"].LayerNorm(x, Epsilon));

        x = mar["decoder_embed"].Linear(x, config.DecoderEmbedDim);
        var unknown = Half("mask_token", all, config.DecoderEmbedDim).Expand(batch, all, config.DecoderEmbedDim);
        x = ValueShape.Concat(1, x, unknown).Rows(sources) + Half("decoder_pos_embed_learned", buffer + all, config.DecoderEmbedDim);
        x = Stack(mar, "decoder", x, stage, config.DecoderDepth, config.DecoderNumHeads, config.MlpRatio);
        g.Output($"stage{stage + 1}_z", mar["decoder_norm"].LayerNorm(x, Epsilon).From(1, buffer) + mar.Weight("diffusion_pos_embed_learned", 1, all, config.DecoderEmbedDim));
    }

    // Scales and gates come from the stage, through a map that all blocks share and a product and sum of their own.
    private static Value Stack(Scope mar, string name, Value x, int stage, int depth, long heads, double mlpRatio)
    {
        var width = x.Shape[-1].Size;
        var task = mar[$"{name}_task_emb"].Weight("weight", 2, width).Slice(0, stage, stage + 1);
        var ada = mar[$"{name}_blocks_ada.1"].Linear(task.Silu(), 4 * width).Unsqueeze(0);  // (1, 1, 4 D)
        for (var i = 0; i < depth; i++)
        {
            var block = mar[$"{name}_blocks"][i];
            Value Own(string part) => block.Weight(part, 2, 1, 1, 4 * width).At(0, stage);
            var parts = (ada * Own("adaLN_scale") + Own("adaLN_shift")).Chunk(4, -1);
            var (q, k, v) = block["attn.qkv"].Qkv(block["norm1"].LayerNorm(x, Epsilon) * (parts[0] + 1), width);
            x += parts[1] * block["attn.proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = heads }), width);
            x += parts[3] * block["mlp"].Mlp(block["norm2"].LayerNorm(x, Epsilon) * (parts[2] + 1), (long)(width * mlpRatio), value => value.Gelu());
            x = mar.Stage($"stage{stage + 1}_{name}_block_{i}", x);
        }

        return x;
    }

    /// <summary>The denoiser of the grid, a DiT whose condition differs from place to place: x (B, C, h, w), t (B), z (B, D, h, w) -> eps (B, C, h, w).</summary>
    public static void Denoise(Scope dit, HiMarConfig config)
    {
        var (g, batch, width, side) = (dit.Graph, Dim.Symbol("batch"), (long)config.GdmW, config.Side);
        var x = dit["x_embedder.proj"].PatchEmbed(g.Input("x", [batch, config.VaeEmbedDim, side, side]), width, 1) + dit.Weight("pos_embed", 1, side * side, width);
        var time = dit["t_embedder.mlp.2"].Linear(dit["t_embedder.mlp.0"].Linear(g.Input("t", [batch]).Sinusoid(256), width).Silu(), width);
        var condition = (time.Unsqueeze(1) + dit["c_embedder.proj"].PatchEmbed(g.Input("z", [batch, config.DecoderEmbedDim, side, side]), width, 1)).Silu();
        for (var i = 0; i < config.GdmD; i++)
        {
            var block = dit["blocks"][i];
            var (shift1, scale1, gate1, shift2, scale2, gate2) = block["adaLN_modulation.1"].Linear(condition, 6 * width).Chunk6();
            x += gate1 * block["attn"].SelfAttention(x.LayerNorm(Epsilon) * (scale1 + 1) + shift1, config.Head);
            x += gate2 * block["mlp"].Mlp(x.LayerNorm(Epsilon) * (scale2 + 1) + shift2, (long)(width * config.Ratio), value => value.Gelu(Gelu.Tanh));
        }

        var (shift, scale) = dit["final_layer.adaLN_modulation.1"].Linear(condition, 2 * width).Chunk2();
        x = dit["final_layer.linear"].Linear(x.LayerNorm(Epsilon) * (scale + 1) + shift, config.VaeEmbedDim);
        g.Output("eps", x.Swap(1, 2).Reshape(batch, config.VaeEmbedDim, side, side));
    }
}
