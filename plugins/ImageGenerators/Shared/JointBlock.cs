using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The block of MM-DiT (Esser et al., arXiv:2403.03206) under diffusers' names (<c>JointTransformerBlock</c>): two streams, each with its own maps, attend to each other.</summary>
internal static class JointBlock
{
    private const double Epsilon = 1e-6;

    /// <summary>image (B, N, D), words (B, M, D), condition (B, D) -> both; no words after the <paramref name="last"/> block, where they only give keys and values.</summary>
    public static (Value Image, Value? Words) Build(Scope block, Value image, Value words, Value condition, long heads, bool last)
    {
        var (shift1, scale1, gate1, shift2, scale2, gate2) = block["norm1.linear"].Linear(condition.Silu(), 6 * image.Shape[-1].Size).Chunk6();
        if (last)
        {
            var (seen, _) = Attention(block["attn"], image.LayerNorm(Epsilon).Modulate(shift1, scale1), ContinuousNorm(block["norm1_context"], words, condition), heads, last);
            image += gate1.Unsqueeze(1) * seen;
            return (FeedForward(block["ff"], image, shift2, scale2, gate2), null);
        }

        var (wordShift1, wordScale1, wordGate1, wordShift2, wordScale2, wordGate2) = block["norm1_context.linear"].Linear(condition.Silu(), 6 * words.Shape[-1].Size).Chunk6();
        var (attended, read) = Attention(block["attn"], image.LayerNorm(Epsilon).Modulate(shift1, scale1), words.LayerNorm(Epsilon).Modulate(wordShift1, wordScale1), heads, last);
        image += gate1.Unsqueeze(1) * attended;
        words += wordGate1.Unsqueeze(1) * read!;
        return (FeedForward(block["ff"], image, shift2, scale2, gate2), FeedForward(block["ff_context"], words, wordShift2, wordScale2, wordGate2));
    }

    /// <summary>A norm told by a condition (<c>AdaLayerNormContinuous</c>): scale first, then shift. x (B, N, D), condition (B, D).</summary>
    public static Value ContinuousNorm(Scope norm, Value x, Value condition)
    {
        var (scale, shift) = norm["linear"].Linear(condition.Silu(), 2 * x.Shape[-1].Size).Chunk2();
        return x.LayerNorm(Epsilon).Modulate(shift, scale);
    }

    // The picture's tokens stand before the words.
    private static (Value Image, Value? Words) Attention(Scope attn, Value image, Value words, long heads, bool last)
    {
        var width = image.Shape[-1].Size;
        Value Both(string ofImage, string ofWords) => ValueShape.Concat(1, attn[ofImage].Linear(image, width), attn[ofWords].Linear(words, width));
        var y = AttentionLayers.Attention(Both("to_q", "add_q_proj"), Both("to_k", "add_k_proj"), Both("to_v", "add_v_proj"), new() { Heads = heads });
        return (attn["to_out.0"].Linear(y.Take(1, image.Shape[1]), width), last ? null : attn["to_add_out"].Linear(y.From(1, image.Shape[1]), width));
    }

    private static Value FeedForward(Scope ff, Value x, Value shift, Value scale, Value gate)
    {
        var width = x.Shape[-1].Size;
        var hidden = ff["net.0.proj"].Linear(x.LayerNorm(Epsilon).Modulate(shift, scale), 4 * width).Gelu(Gelu.Tanh);
        return x + gate.Unsqueeze(1) * ff["net.2"].Linear(hidden, width);
    }
}
