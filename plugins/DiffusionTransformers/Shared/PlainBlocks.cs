using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>What a block's self-attention does beside the usual.</summary>
/// <param name="Heads">Number of heads.</param>
internal sealed record BlockAttention(long Heads)
{
    /// <summary>Added to the scores; null for nothing.</summary>
    public Value? Bias { get; init; }

    /// <summary>Rotary positions for queries and keys; null for none.</summary>
    public Func<Value, Value>? Turn { get; init; }
}

/// <summary>What a block reads beside its own tokens.</summary>
/// <param name="Tokens">(B, M, E).</param>
/// <param name="Bias">Added to the scores (B, 1, 1, M), or null.</param>
internal sealed record BlockContext(Value Tokens, Value? Bias = null);

/// <summary>Transformer blocks with the plain names of models whose code is not public; hidden widths are those of the tensors.</summary>
internal static class PlainBlocks
{
    /// <summary>x += attention(norm(x)); x += crossAttention(norm(x)) where there is a context; x += mlp(norm(x)). h (B, N, D).</summary>
    public static Value PlainBlock(this Scope block, Value h, BlockAttention attention, BlockContext? context = null)
    {
        h += block["attn"].FusedAttention(block["norm1"].LayerNorm(h), attention);
        return block.ReadingBlock(h, attention.Heads, context);
    }

    /// <summary>The same without self-attention.</summary>
    public static Value ReadingBlock(this Scope block, Value h, long heads, BlockContext? context)
    {
        if (context is not null) h += block["cross_attn"].CrossAttention(block["norm_cross"].LayerNorm(h), context, heads);
        return h + block["mlp"].FeedForward(block["norm2"].LayerNorm(h), x => x.Gelu());
    }

    /// <summary>DiT's block with masked keys and, between its two branches, attention to a context that is neither normalised nor gated. h (B, N, D), c (B, D).</summary>
    public static Value ConditionedBlock(this Scope block, Value h, Value c, BlockAttention attention, BlockContext? context = null)
    {
        var (shift1, scale1, gate1, shift2, scale2, gate2) = block.Modulation6(c);
        h += block["attn"].FusedAttention(h.LayerNorm(1e-6).Modulate(shift1, scale1), attention).Gated(gate1);
        if (context is not null) h += block["cross_attn"].CrossAttention(h, context, attention.Heads);
        return h + block["mlp"].FeedForward(h.LayerNorm(1e-6).Modulate(shift2, scale2), x => x.Gelu(Gelu.Tanh)).Gated(gate2);
    }

    /// <summary>A stack <c>blocks.i</c>, each marked as a stage.</summary>
    public static Value Stack(this Scope blocks, Value h, int depth, string stage, Func<Scope, Value, Value> block)
    {
        for (var i = 0; i < depth; i++) h = blocks.Stage($"{stage}{i}", block(blocks[i], h));
        return h;
    }

    private static Value FusedAttention(this Scope attn, Value x, BlockAttention options)
    {
        var width = x.Shape[-1].Size;
        var (q, k, v) = attn["qkv"].Qkv(x, width);
        if (options.Turn is { } turn) (q, k) = (turn(q), turn(k));
        return attn["proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = options.Heads, Bias = options.Bias }), width);
    }

    private static Value CrossAttention(this Scope attn, Value x, BlockContext context, long heads)
    {
        var width = x.Shape[-1].Size;
        var (k, v) = (attn["kv"].LinearRows(context.Tokens, 2 * width, 0, width), attn["kv"].LinearRows(context.Tokens, 2 * width, width, width));
        return attn["proj"].Linear(AttentionLayers.Attention(attn["q"].Linear(x, width), k, v, new() { Heads = heads, Bias = context.Bias }), width);
    }

    // fc1, fc2; or w3(silu(w1 x) w2 x).
    private static Value FeedForward(this Scope mlp, Value x, Func<Value, Value> activation) => mlp.Has("w1.weight") && !mlp.IsInventory
        ? mlp.GatedMlp(x, mlp["w1"].ShapeOf("weight")[0], gate => gate.Silu(), "w1", "w2", "w3", bias: true)
        : mlp.Mlp(x, mlp["fc1"].ShapeOf("weight")[0], activation);
}
