using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>UniTok's change of width between features and codes: attention beside a linear map, then a gated perceptron (Ma et al., arXiv:2502.20321, section 3.3).</summary>
internal static class AttentionProjection
{
    /// <summary>x (B, N, in) -> (B, N, out). Narrowing averages the heads; widening joins them.</summary>
    public static Value AttnProjection(this Scope scope, Value x, long outputs, long heads, bool causal = false)
    {
        var y = scope["proj"].Linear(scope["norm3"].LayerNorm(x), outputs) + Attention(scope["attn"], scope["norm1"].LayerNorm(x), outputs, heads, causal);
        return y + scope["mlp"].GeGluMlp(scope["norm2"].LayerNorm(y), 2 * outputs);
    }

    /// <summary>w2(gelu(w0 n) w1 n), n the input normalised once more; tanh GELU. x (B, N, D) -> (B, N, D).</summary>
    public static Value GeGluMlp(this Scope mlp, Value x, long hidden)
    {
        var normed = mlp["norm"].LayerNorm(x, 1e-6);
        return mlp["w2"].Linear(mlp["w0"].Linear(normed, hidden).Gelu(Gelu.Tanh) * mlp["w1"].Linear(normed, hidden), x.Shape[-1].Size);
    }

    // Queries and values have biases, keys none.
    private static Value Attention(Scope attention, Value x, long outputs, long heads, bool causal)
    {
        var inputs = x.Shape[-1].Size;
        var inner = Math.Max(inputs, outputs);
        Value Part(long part, string? bias) =>
            attention.Linear(x, attention.Graph.Weight($"{attention.Path}.qkv.weight[{part}]", attention["qkv"].Data("weight", 3 * inner, inputs).Rows(part * inner, inner), attention.Path), bias is null ? null : attention.Weight(bias, inner));
        var seen = AttentionLayers.Attention(Part(0, "q_bias"), Part(1, null), Part(2, "v_bias"), new() { Heads = heads, Causal = causal });
        if (inputs > outputs)
        {
            seen = seen.Reshape(x.Shape[0], x.Shape[1], heads, inner / heads).Mean(2);
            // A head that is still wider than the output is averaged over neighbouring channels.
            if (inner / heads != outputs) seen = seen.Interpolate(Interpolation.Area, [outputs]);
        }

        return attention["proj"].Linear(seen, outputs);
    }
}
