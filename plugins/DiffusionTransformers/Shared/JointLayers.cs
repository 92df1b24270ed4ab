using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>Blocks of two streams, image and text, that attend to each other (MM-DiT, Esser et al., arXiv:2403.03206), under diffusers' names.</summary>
internal static class JointLayers
{
    /// <summary>How joint attention is done.</summary>
    /// <param name="Heads">Number of heads.</param>
    /// <param name="TextFirst">True when the text's tokens come before the image's.</param>
    /// <param name="Normed">True when queries and keys are normalised, head by head.</param>
    /// <param name="Turn">Rotary positions for queries and keys of all tokens, or null.</param>
    /// <param name="Attend">Attention where it is not the usual one: scope, queries, keys and values of all tokens; or null.</param>
    public sealed record Options(long Heads, bool TextFirst, bool Normed, Func<Value, Value>? Turn = null, Func<Scope, Value, Value, Value, Value>? Attend = null)
    {
        /// <summary>How they are: a root mean square norm unless said otherwise.</summary>
        public Func<Scope, Value, Value> Norm { get; init; } = (norm, head) => norm.RmsNorm(head);
    }

    /// <summary>Attention over both streams, each with its own maps. image (B, N, D), text (B, M, D) -> the same; no text when it has no further use.</summary>
    public static (Value Image, Value? Text) JointAttention(this Scope attn, Value image, Value text, Options options, bool textOutput = true)
    {
        var width = image.Shape[-1].Size;
        var (q, k, v) = attn.Projections(image, ["to_q", "to_k", "to_v"], ["norm_q", "norm_k"], options);
        var (tq, tk, tv) = attn.Projections(text, ["add_q_proj", "add_k_proj", "add_v_proj"], ["norm_added_q", "norm_added_k"], options);
        Value Both(Value ofImage, Value ofText) => options.TextFirst ? ValueShape.Concat(1, ofText, ofImage) : ValueShape.Concat(1, ofImage, ofText);
        var (queries, keys) = (Both(q, tq), Both(k, tk));
        if (options.Turn is { } turn) (queries, keys) = (turn(queries), turn(keys));
        var y = attn.Attend(queries, keys, Both(v, tv), options);
        var (seen, read) = options.TextFirst ? (y.From(1, text.Shape[1]), y.Take(1, text.Shape[1])) : (y.Take(1, image.Shape[1]), y.From(1, image.Shape[1]));
        return (attn["to_out.0"].Linear(seen, width), textOutput ? attn["to_add_out"].Linear(read, width) : null);
    }

    /// <summary>Attention within one stream.</summary>
    public static Value StreamAttention(this Scope attn, Value x, Options options)
    {
        var (q, k, v) = attn.Projections(x, ["to_q", "to_k", "to_v"], ["norm_q", "norm_k"], options);
        if (options.Turn is { } turn) (q, k) = (turn(q), turn(k));
        return attn.Attend(q, k, v, options);
    }

    /// <summary>Parts of a modulation from <c>linear</c>. condition (B, D), or (B, N, D) for each token -> parts of the same.</summary>
    public static Value[] LinearModulation(this Scope norm, Value condition, int parts) => norm["linear"].Linear(condition.Silu(), parts * condition.Shape[-1].Size).Chunk(parts, -1);

    /// <summary>The last norm: scale first, then shift.</summary>
    public static Value ContinuousNorm(this Scope norm, Value x, Value condition)
    {
        var (scale, shift) = norm["linear"].Linear(condition.Silu(), 2 * x.Shape[-1].Size).Chunk2();
        return x.LayerNorm(1e-6).Modulate(shift, scale);
    }

    /// <summary>The second branch of a block: modulated norm, feed-forward, gate; x is added.</summary>
    public static Value GatedFeedForward(this Scope ff, Value x, Value shift, Value scale, Value gate) =>
        x + ff.DiffusersFeedForward(x.NormModulate(shift, scale), "gelu-approximate").Gated(gate);

    /// <summary>Layer norm, then (1 + scale) x + shift, with one shift and scale (B, D) for all tokens or one for each (B, N, D).</summary>
    public static Value NormModulate(this Value x, Value shift, Value scale) => shift.Rank == 3 ? x.LayerNorm(1e-6) * (scale + 1) + shift : x.LayerNorm(1e-6).Modulate(shift, scale);

    private static Value Attend(this Scope attn, Value q, Value k, Value v, Options options) =>
        options.Attend is { } other ? other(attn, q, k, v) : AttentionLayers.Attention(q, k, v, new() { Heads = options.Heads });

    /// <summary>Queries, keys and values of a stream, queries and keys normalised head by head where they are.</summary>
    public static (Value Q, Value K, Value V) Projections(this Scope attn, Value x, string[] maps, string[] norms, Options options)
    {
        var width = x.Shape[-1].Size;
        var (q, k, v) = (attn[maps[0]].Linear(x, width), attn[maps[1]].Linear(x, width), attn[maps[2]].Linear(x, width));
        return options.Normed ? (q.PerHead(options.Heads, head => options.Norm(attn[norms[0]], head)), k.PerHead(options.Heads, head => options.Norm(attn[norms[1]], head)), v) : (q, k, v);
    }
}
