namespace ModelZoo.Networks;

/// <summary>Parts of diffusers' transformers, under its published names.</summary>
public static class DiffusersLayers
{
    /// <summary>A vector through <c>linear_1</c>, SiLU or another activation, <c>linear_2</c>.</summary>
    public static Value DiffusersTimeMlp(this Scope scope, Value embedding, long width, Func<Value, Value>? activation = null)
    {
        var hidden = scope["linear_1"].Linear(embedding, width);
        return scope["linear_2"].Linear(activation is null ? hidden.Silu() : activation(hidden), width);
    }

    /// <summary>
    /// Attention with <c>to_q</c>, <c>to_k</c>, <c>to_v</c>, <c>to_out.0</c>: of x (B, N, D) to itself, or to a context (B, M, E). The bias of scores is (B, 1, 1 or N, M).
    /// </summary>
    public static Value DiffusersAttention(this Scope scope, Value x, long heads, Value? context = null, Value? mask = null, bool bias = false, bool outputBias = true, long? inner = null)
    {
        var (width, source) = (inner ?? x.Shape[-1].Size, context ?? x);
        var (q, k, v) = (scope["to_q"].Linear(x, width, bias), scope["to_k"].Linear(source, width, bias), scope["to_v"].Linear(source, width, bias));
        return scope["to_out.0"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = heads, Bias = mask }), x.Shape[-1].Size, outputBias);
    }

    /// <summary>The feed-forward block: <c>net.0.proj</c>, activation, <c>net.2</c>, four times as wide inside.</summary>
    public static Value DiffusersFeedForward(this Scope scope, Value x, string activation, long multiple = 4)
    {
        var width = x.Shape[-1].Size;
        var inner = width * multiple;
        var hidden = activation switch
        {
            "gelu" => scope["net.0.proj"].Linear(x, inner).Gelu(),
            "gelu-approximate" => scope["net.0.proj"].Linear(x, inner).Gelu(Gelu.Tanh),
            "geglu" => Gated(scope["net.0.proj"].Linear(x, 2 * inner), gate => gate.Gelu()),
            "geglu-approximate" => scope["net.0.proj"].Linear(x, inner).QuickGelu(),
            "swiglu" => Gated(scope["net.0.proj"].Linear(x, 2 * inner), gate => gate.Silu()),
            "linear-silu" => scope["net.0.proj"].Linear(x, inner).Silu(),
            _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "not an activation of diffusers' feed-forward block"),
        };
        return scope["net.2"].Linear(hidden, width);
    }

    /// <summary>0 where a mask (B, M) of zeros and ones keeps a key, else -10000, as (B, 1, 1, M).</summary>
    public static Value KeyBias(this Value mask) => ((1 - mask.Cast(Contracts.ElementType.Float32)) * -10000).Unsqueeze(1, 2);

    private static Value Gated(Value both, Func<Value, Value> activation)
    {
        var (value, gate) = both.Chunk2();
        return value * activation(gate);
    }
}
