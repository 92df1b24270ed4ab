// SANA: Efficient High-Resolution Image Synthesis with Linear Diffusion Transformers. Xie et al. arXiv:2410.10629. github.com/NVlabs/Sana
// SANA-1.5 (arXiv:2501.18427) adds norms of queries and keys, SANA-Sprint (arXiv:2503.09641) an embedded guidance. Published layout: diffusers SanaTransformer2DModel. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.PixArt;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.Sana;

/// <summary>Keys of diffusers' SanaTransformer2DModel.</summary>
public sealed record SanaConfig
{
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 32;
    /// <summary>Channels predicted; as many as go in when left out.</summary>
    public int? OutChannels { get; init; } = 32;
    /// <summary>Heads of linear attention.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 70;
    /// <summary>Width of such a head.</summary>
    [Range(1, 4096)] public int AttentionHeadDim { get; init; } = 32;
    /// <summary>Number of blocks.</summary>
    [Range(1, 1024)] public int NumLayers { get; init; } = 20;
    /// <summary>Heads of cross-attention.</summary>
    [Range(1, 1024)] public int NumCrossAttentionHeads { get; init; } = 20;
    /// <summary>Width of such a head.</summary>
    [Range(1, 4096)] public int CrossAttentionHeadDim { get; init; } = 112;
    /// <summary>Width of the text's tokens in cross-attention.</summary>
    public int? CrossAttentionDim { get; init; } = 2240;
    /// <summary>Width of the text encoder's features.</summary>
    [Range(1, 65536)] public int CaptionChannels { get; init; } = 2304;
    /// <summary>Width of the Mix-FFN over that of the tokens.</summary>
    public double MlpRatio { get; init; } = 2.5;
    /// <summary>True when queries, keys and values of linear attention have a bias.</summary>
    public bool AttentionBias { get; init; }
    /// <summary>Height and width of the latent that positions are counted in.</summary>
    [Range(1, 4096)] public int SampleSize { get; init; } = 32;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 1;
    /// <summary>True when the norm before the Mix-FFN has weights.</summary>
    public bool NormElementwiseAffine { get; init; }
    /// <summary>Epsilon of the norms.</summary>
    public double NormEps { get; init; } = 1e-6;
    /// <summary>By how much positions are pressed together; no positions when left out.</summary>
    public double? InterpolationScale { get; init; }
    /// <summary>True when the guidance is an input (Sprint).</summary>
    public bool GuidanceEmbeds { get; init; }
    /// <summary>What the guidance is multiplied by before it goes in.</summary>
    public double GuidanceEmbedsScale { get; init; } = 0.1;
    /// <summary>How queries and keys are normalised.</summary>
    [AllowedValues("rms_norm_across_heads", null)] public string? QkNorm { get; init; }
    /// <summary>What the scheduler's time is multiplied by before it goes in.</summary>
    public double TimestepScale { get; init; } = 1;

    internal int Width => NumAttentionHeads * AttentionHeadDim;

    internal int Outputs => OutChannels ?? InChannels;
}

/// <summary>A transformer whose self-attention is linear in the number of tokens and whose MLP is a convolution (section 2.2).</summary>
internal static class SanaNetwork
{
    /// <summary>What the network takes.</summary>
    public static TextNetwork.Conditions Conditions(SanaConfig config) =>
        config.GuidanceEmbeds ? new(config.InChannels, config.CaptionChannels, true, ("guidance", 1)) : new(config.InChannels, config.CaptionChannels, true);

    /// <summary>Predicts the velocity (B, C, H, W).</summary>
    public static Value Build(Scope model, TextNetwork.Inputs inputs, SanaConfig config)
    {
        var (width, patch) = (config.Width, config.PatchSize);
        var (rows, columns) = (inputs.Sample.Shape[2].Int / patch, inputs.Sample.Shape[3].Int / patch);
        var h = model["patch_embed.proj"].PatchEmbed(inputs.Sample, width, patch);                // (B, N, D)
        if (config.InterpolationScale is { } scale) h += SinCosPositions.Grid(model.Graph, rows, columns, width, config.SampleSize / patch, scale);
        model.Stage("patch_embed", h);

        var embed = config.GuidanceEmbeds ? model["time_embed"] : model["time_embed.emb"];
        var time = embed["timestep_embedder"].DiffusersTimeMlp(inputs.Time.Sinusoid(256), width);
        if (config.GuidanceEmbeds) time += embed["guidance_embedder"].DiffusersTimeMlp(inputs.Vectors["guidance"].Reshape(-1).Sinusoid(256), width);
        model.Stage("timestep_embed", time);
        var modulation = model.Stage("adaln_single", model["time_embed.linear"].Linear(time.Silu(), 6 * width));

        var caption = model.Stage("caption_projection", model["caption_projection"].CaptionProjection(inputs.Text, width));
        caption = model.Stage("caption_norm", model["caption_norm"].RmsNorm(caption, 1e-5));
        for (var i = 0; i < config.NumLayers; i++)
            h = model.Stage($"block_{i}", Block(model, i, h, caption, inputs.Mask!.KeyBias(), modulation, (rows, columns), config));

        return model["proj_out"].Linear(model.AdaptiveNorm(h, time), (long)patch * patch * config.Outputs).Unpatchify(patch, rows, columns, config.Outputs);
    }

    private static Value Block(Scope model, int i, Value h, Value caption, Value mask, Value modulation, (int Rows, int Columns) grid, SanaConfig config)
    {
        var block = model["transformer_blocks"][i];
        var parts = block.SingleModulation(modulation, config.Width);                            // shift, scale, gate twice
        h += parts[2] * model.Stage($"block_{i}_self_attention", LinearAttention(block["attn1"], h.LayerNorm(config.NormEps) * (parts[1] + 1) + parts[0], config));
        if (config.CrossAttentionDim is not null) h += model.Stage($"block_{i}_cross_attention", CrossAttention(block["attn2"], h, caption, mask, config));
        var normed = config.NormElementwiseAffine ? block["norm2"].LayerNorm(h, config.NormEps) : h.LayerNorm(config.NormEps);
        var picture = (normed * (parts[4] + 1) + parts[3]).Swap(1, 2).Reshape(h.Shape[0], config.Width, grid.Rows, grid.Columns);
        return h + parts[5] * model.Stage($"block_{i}_mix_ffn", MixFeedForward(block["ff"], picture, config)).Flatten(2).Swap(1, 2);
    }

    // relu(q) (relu(k)^T v) over its own normaliser: linear in the number of tokens.
    private static Value LinearAttention(Scope attn, Value x, SanaConfig config)
    {
        var (q, k, v) = Projections(attn, x, x, config.Width, config.AttentionBias, config);
        var (queries, keys, values) = (q.Relu().SplitHeads(config.NumAttentionHeads), k.Relu().SplitHeads(config.NumAttentionHeads), v.SplitHeads(config.NumAttentionHeads));  // (B, heads, N, W)
        var numerator = queries.MatMul(keys.Swap(-1, -2).MatMul(values));
        var denominator = queries.MatMul(keys.Sum(2, keep: true).Swap(-1, -2));                  // (B, heads, N, 1)
        return attn["to_out.0"].Linear((numerator / (denominator + 1e-15)).MergeHeads(), config.Width);
    }

    private static Value CrossAttention(Scope attn, Value x, Value caption, Value mask, SanaConfig config)
    {
        var (q, k, v) = Projections(attn, x, caption, (long)config.NumCrossAttentionHeads * config.CrossAttentionHeadDim, bias: true, config);
        return attn["to_out.0"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = config.NumCrossAttentionHeads, Bias = mask }), config.Width);
    }

    private static (Value Q, Value K, Value V) Projections(Scope attn, Value x, Value source, long width, bool bias, SanaConfig config)
    {
        var (q, k, v) = (attn["to_q"].Linear(x, width, bias), attn["to_k"].Linear(source, width, bias), attn["to_v"].Linear(source, width, bias));
        return config.QkNorm is null ? (q, k, v) : (attn["norm_q"].RmsNorm(q, 1e-5), attn["norm_k"].RmsNorm(k, 1e-5), v);
    }

    // A gated MLP of 1 x 1 convolutions with a 3 x 3 one for each channel between: it sees the neighbours, so that no positions are needed.
    private static Value MixFeedForward(Scope ff, Value x, SanaConfig config)
    {
        var hidden = (long)(config.MlpRatio * config.Width);
        var inside = ff["conv_depth"].Conv(ff["conv_inverted"].Conv(x, 2 * hidden, 1).Silu(), 2 * hidden, 3, padding: 1, groups: 2 * hidden);
        var (value, gate) = inside.Chunk2(1);
        return ff["conv_point"].Conv(value * gate.Silu(), config.Width, 1, bias: false);
    }
}
