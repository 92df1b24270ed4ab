using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>The pre-norm transformer block of T2M-GPT and its descendants: separate maps <c>query</c>, <c>key</c>, <c>value</c>, exact GELU.</summary>
internal static class TransformerBlock
{
    /// <summary>x += attention(ln1 x); x += mlp(ln2 x). x (B, N, D); inner is the width of the feed-forward network.</summary>
    public static Value Build(Scope block, Value x, AttentionOptions options, long inner)
    {
        var h = block["ln1"].LayerNorm(x);
        return Feed(block, x + Attend(block["attn"], h, h, options), inner);
    }

    /// <summary>The same, looking at a context instead, which has a norm of its own. x (B, N, D), context (B, M, D).</summary>
    public static Value Cross(Scope block, Value x, Value context, long heads, int rate) =>
        Feed(block, x + Attend(block["attn"], block["ln1"].LayerNorm(x), block["ln3"].LayerNorm(context), new() { Heads = heads }), rate * x.Shape[-1].Size);

    /// <summary>A stack; the first block's output is a stage of that name.</summary>
    public static Value Stack(Scope blocks, Value x, int count, AttentionOptions options, int rate, string? firstStage = null)
    {
        for (var i = 0; i < count; i++)
        {
            x = Build(blocks[i], x, options, rate * x.Shape[-1].Size);
            if (i == 0 && firstStage is not null) blocks.Stage(firstStage, x);
        }

        return x;
    }

    private static Value Attend(Scope attention, Value x, Value context, AttentionOptions options)
    {
        var width = x.Shape[-1].Size;
        return attention["proj"].Linear(AttentionLayers.Attention(attention["query"].Linear(x, width), attention["key"].Linear(context, width), attention["value"].Linear(context, width), options), width);
    }

    private static Value Feed(Scope block, Value x, long inner) =>
        x + block["mlp"].Mlp(block["ln2"].LayerNorm(x), inner, h => h.Gelu(), "0", "2");
}
