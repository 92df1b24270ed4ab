namespace ModelZoo.Networks;

/// <summary>timm's transformer block: <c>norm1</c>, <c>attn.qkv</c>, <c>attn.proj</c>, <c>norm2</c>, <c>mlp.fc1</c>, <c>mlp.fc2</c>, and <c>ls1.gamma</c>, <c>ls2.gamma</c> where branches are scaled.</summary>
public static class TimmBlock
{
    /// <summary>Pre-norm attention and multilayer perceptron (exact GELU). x (B, N, D) -> (B, N, D).</summary>
    public static Value VitBlock(this Scope block, Value x, long heads, double epsilon = 1e-6, bool qkvBias = true, bool layerScale = false, Value? mask = null, double mlpRatio = 4)
    {
        var width = x.Shape[-1].Size;
        var (q, k, v) = block["attn.qkv"].Qkv(block["norm1"].LayerNorm(x, epsilon), width, qkvBias);
        var seen = block["attn.proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = heads, Bias = mask }), width);
        x += layerScale ? seen * block.Weight("ls1.gamma", width) : seen;
        var mapped = block["mlp"].Mlp(block["norm2"].LayerNorm(x, epsilon), (long)(width * mlpRatio), value => value.Gelu());
        return x + (layerScale ? mapped * block.Weight("ls2.gamma", width) : mapped);
    }
}
