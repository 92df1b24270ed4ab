// FLUX.1. Black Forest Labs. github.com/black-forest-labs/flux
// Published layout: diffusers FluxTransformer2DModel. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.Flux;

/// <summary>Keys of diffusers' FluxTransformer2DModel.</summary>
public sealed record FluxConfig
{
    /// <summary>Only 1 is published: pictures come packed in tokens of 2 x 2.</summary>
    [Range(1, 1)] public int PatchSize { get; init; } = 1;
    /// <summary>Width of a packed token.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 64;
    /// <summary>Width predicted; as much as goes in when left out.</summary>
    public int? OutChannels { get; init; }
    /// <summary>Blocks with two streams.</summary>
    [Range(0, 1024)] public int NumLayers { get; init; } = 19;
    /// <summary>Blocks with one.</summary>
    [Range(0, 1024)] public int NumSingleLayers { get; init; } = 38;
    /// <summary>Width of a head.</summary>
    [Range(1, 4096)] public int AttentionHeadDim { get; init; } = 128;
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 24;
    /// <summary>Width of the text encoder's tokens.</summary>
    [Range(1, 65536)] public int JointAttentionDim { get; init; } = 4096;
    /// <summary>Width of the text encoder's pooled features.</summary>
    [Range(1, 65536)] public int PooledProjectionDim { get; init; } = 768;
    /// <summary>True when the guidance is an input (dev).</summary>
    public bool GuidanceEmbeds { get; init; }
    /// <summary>Channels of a head for each axis of the positions.</summary>
    public int[] AxesDimsRope { get; init; } = [16, 56, 56];

    internal int Width => NumAttentionHeads * AttentionHeadDim;

    internal int Outputs => OutChannels ?? InChannels;
}

/// <summary>What descendants change in the network; everything left out is as published.</summary>
internal sealed record FluxHooks
{
    /// <summary>Attention where it is not the usual one: scope, queries, keys and values of all tokens, the text's first.</summary>
    public Func<Scope, Value, Value, Value, Value>? Attend { get; init; }

    /// <summary>What is added to the condition of each token of the text, (1, M, D), in a block by its number; null for nothing.</summary>
    public Func<int, Value>? TextOffset { get; init; }
}

/// <summary>Blocks with streams for image and text, then blocks where both are one and attention and MLP run side by side.</summary>
internal static class FluxNetwork
{
    /// <summary>Predicts the velocity of packed tokens. image (B, N, C), text (B, M, E), time and guidance in thousandths (B), pooled (B, P), cos and sin (M + N, W / 2) -> (B, N, C).</summary>
    public static Value Build(Scope model, Value image, Value text, Value time, Value? guidance, Value pooled, Value cos, Value sin, FluxConfig config, FluxHooks? hooks = null)
    {
        hooks ??= new();
        var width = (long)config.Width;
        image = model.Stage("x_embedder", model["x_embedder"].Linear(image, width));
        var embed = model["time_text_embed"];
        var condition = embed["timestep_embedder"].DiffusersTimeMlp((time * 1000).Sinusoid(256), width);
        if (guidance is not null) condition += embed["guidance_embedder"].DiffusersTimeMlp((guidance * 1000).Sinusoid(256), width);
        condition = model.Stage("time_text_embed", condition + embed["text_embedder"].DiffusersTimeMlp(pooled, width));
        text = model.Stage("context_embedder", model["context_embedder"].Linear(text, width));
        var options = new JointLayers.Options(config.NumAttentionHeads, TextFirst: true, Normed: true, x => x.Rotary(config.NumAttentionHeads, cos, sin, interleaved: true), hooks.Attend);

        for (var i = 0; i < config.NumLayers; i++)
        {
            (image, text) = DoubleBlock(model["transformer_blocks"][i], image, text, condition, OfText(i), options);
            model.Stage($"double_block_{i}_image", image);
            model.Stage($"double_block_{i}_text", text);
        }

        var (words, both) = (text.Shape[1], ValueShape.Concat(1, text, image));
        for (var i = 0; i < config.NumSingleLayers; i++)
        {
            var perToken = hooks.TextOffset is null ? condition : ValueShape.Concat(1, OfText(config.NumLayers + i), condition.Unsqueeze(1).Expand(image.Shape[0], image.Shape[1], width));
            both = model.Stage($"single_block_{i}", SingleBlock(model["single_transformer_blocks"][i], both, perToken, options));
            model.Stage($"single_block_{i}_image", both.From(1, words));
            model.Stage($"single_block_{i}_text", both.Take(1, words));
        }

        return model["proj_out"].Linear(model.Stage("norm_out", model["norm_out"].ContinuousNorm(both.From(1, words), condition)), config.Outputs);

        Value OfText(int block) => hooks.TextOffset is { } offset ? condition.Unsqueeze(1) + offset(block) : condition;
    }

    /// <summary>Angles of positions (count, axes): cos and sin (count, W / 2), one for each pair of channels, axis after axis.</summary>
    public static (Tensor<float> Cos, Tensor<float> Sin) Angles(Tensor<float> positions, int[] axes, double theta = 10000)
    {
        var (count, half) = ((int)positions.Shape[0], axes.Sum() / 2);
        var (cos, sin) = (Tensor.Zeros<float>(count, half), Tensor.Zeros<float>(count, half));
        for (var n = 0; n < count; n++)
        {
            var next = 0;
            for (var axis = 0; axis < axes.Length; axis++)
            {
                for (var i = 0; i < axes[axis] / 2; i++, next++)
                {
                    var angle = positions[n, axis] / Math.Pow(theta, 2.0 * i / axes[axis]);
                    (cos[n, next], sin[n, next]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
                }
            }
        }

        return (cos, sin);
    }

    private static (Value Image, Value Text) DoubleBlock(Scope block, Value image, Value text, Value condition, Value textCondition, JointLayers.Options options)
    {
        var (parts, textParts) = (block["norm1"].LinearModulation(condition, 6), block["norm1_context"].LinearModulation(textCondition, 6));
        var (seen, read) = block["attn"].JointAttention(image.NormModulate(parts[0], parts[1]), text.NormModulate(textParts[0], textParts[1]), options);
        image = block["ff"].GatedFeedForward(image + seen.Gated(parts[2]), parts[3], parts[4], parts[5]);
        return (image, block["ff_context"].GatedFeedForward(text + read!.Gated(textParts[2]), textParts[3], textParts[4], textParts[5]));
    }

    private static Value SingleBlock(Scope block, Value x, Value condition, JointLayers.Options options)
    {
        var width = x.Shape[-1].Size;
        var parts = block["norm"].LinearModulation(condition, 3);                                // shift, scale, gate
        var normed = x.NormModulate(parts[0], parts[1]);
        var branches = ValueShape.Concat(-1, block["attn"].StreamAttention(normed, options), block["proj_mlp"].Linear(normed, 4 * width).Gelu(Gelu.Tanh));
        return x + block["proj_out"].Linear(branches, width).Gated(parts[2]);
    }
}
