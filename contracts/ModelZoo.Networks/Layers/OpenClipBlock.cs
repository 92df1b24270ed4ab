namespace ModelZoo.Networks;

/// <summary>The transformer block of open_clip, with PyTorch's own attention module: <c>in_proj_weight</c> holds queries, keys and values.</summary>
public static class OpenClipBlock
{
    /// <summary>x + attention(ln_1 x), then + mlp(ln_2 ..) with exact GELU (or another activation) and four times the width. x (B, N, D) -> (B, N, D).</summary>
    public static Value ResidualAttentionBlock(this Scope block, Value x, long heads, Func<Value, Value>? activation = null)
    {
        x += block["attn"].MultiheadSelfAttention(block["ln_1"].LayerNorm(x), heads);
        return x + block["mlp"].Mlp(block["ln_2"].LayerNorm(x), 4 * x.Shape[-1].Size, activation ?? (value => value.Gelu()), "c_fc", "c_proj");
    }

    /// <summary><c>nn.MultiheadAttention</c> of a sequence with itself. x (B, N, D) -> (B, N, D).</summary>
    public static Value MultiheadSelfAttention(this Scope attention, Value x, long heads, Value? bias = null) => attention.MultiheadAttention(x, x, x, heads, bias);

    /// <summary><c>nn.MultiheadAttention</c>. q (B, N, D), k and v (B, M, D) -> (B, N, D).</summary>
    public static Value MultiheadAttention(this Scope attention, Value q, Value k, Value v, long heads, Value? bias = null)
    {
        var width = q.Shape[-1].Size;
        Value Part(Value x, long part)
        {
            var weight = attention.Data("in_proj_weight", 3 * width, width).Rows(part * width, width);
            var offset = attention.Data("in_proj_bias", 3 * width).Rows(part * width, width);
            return attention.Linear(x, attention.Graph.Weight($"{attention.Path}.in_proj_weight[{part}]", weight, attention.Path), attention.Graph.Weight($"{attention.Path}.in_proj_bias[{part}]", offset, attention.Path));
        }

        return attention["out_proj"].Linear(AttentionLayers.Attention(Part(q, 0), Part(k, 1), Part(v, 2), new() { Heads = heads, Bias = bias }), width);
    }
}
