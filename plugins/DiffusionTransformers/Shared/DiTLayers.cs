using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>The parts of DiT (Peebles and Xie, arXiv:2212.09748) that its descendants keep, under its published names.</summary>
internal static class DiTLayers
{
    /// <summary>Time as a vector: sinusoids through <c>mlp.0</c>, SiLU, <c>mlp.2</c>. t (B) -> (B, width).</summary>
    public static Value TimestepEmbedding(this Scope scope, Value t, long width, long frequencies = 256) => scope.TimestepMlp(t.Sinusoid(frequencies), width);

    /// <summary>A vector through <c>mlp.0</c>, SiLU, <c>mlp.2</c>.</summary>
    public static Value TimestepMlp(this Scope scope, Value embedding, long width) => scope["mlp.2"].Linear(scope["mlp.0"].Linear(embedding, width).Silu(), width);

    /// <summary>Shifts, scales and gates from a condition: SiLU, then a linear map. c (B, D) -> parts of (B, D).</summary>
    public static Value[] Modulation(this Scope scope, Value c, int parts)
    {
        var width = c.Shape[-1].Size;
        return scope["1"].Linear(c.Silu(), parts * width).Chunk(parts, -1);
    }

    /// <summary>A gate (B, D), or one for each token (B, N, D), on a branch (B, N, D).</summary>
    public static Value Gated(this Value branch, Value gate) => (gate.Rank == 3 ? gate : gate.Unsqueeze(1)) * branch;

    /// <summary>adaLN-Zero block, section 3.2: shift, scale and gate of both branches come from the condition. h (B, N, D), c (B, D).</summary>
    public static Value DiTBlock(this Scope block, Value h, Value c, long heads, long hidden)
    {
        var (shift1, scale1, gate1, shift2, scale2, gate2) = block.Modulation6(c);
        h += block["attn"].SelfAttention(h.LayerNorm(1e-6).Modulate(shift1, scale1), heads).Gated(gate1);
        h += block["mlp"].Mlp(h.LayerNorm(1e-6).Modulate(shift2, scale2), hidden, x => x.Gelu(Gelu.Tanh)).Gated(gate2);
        return h;
    }

    /// <summary>The six parts of a block's <c>adaLN_modulation</c>.</summary>
    public static (Value, Value, Value, Value, Value, Value) Modulation6(this Scope block, Value c) =>
        block["adaLN_modulation"].Modulation(c, 6) is [var a, var b, var d, var e, var f, var g] ? (a, b, d, e, f, g) : default;

    /// <summary>Modulated norm and linear map to patches. h (B, N, D) -> (B, N, P P C).</summary>
    public static Value FinalLayer(this Scope final, Value h, Value c, long outputs)
    {
        var (shift, scale) = final["adaLN_modulation.1"].Linear(c.Silu(), 2 * c.Shape[-1].Size).Chunk2();
        return final["linear"].Linear(h.LayerNorm(1e-6).Modulate(shift, scale), outputs);
    }

    /// <summary>A gated MLP: <c>w12</c> gives gate and value, silu(gate) value goes through <c>w3</c>.</summary>
    public static Value SwiGlu(this Scope scope, Value x, long hidden)
    {
        var (gate, value) = scope["w12"].Linear(x, 2 * hidden).Chunk2();
        return scope["w3"].Linear(gate.Silu() * value, x.Shape[-1].Size);
    }

    /// <summary>Something done to each head: x (B, N, heads W), the function on (B, N, heads, W).</summary>
    public static Value PerHead(this Value x, long heads, Func<Value, Value> each) => each(x.Reshape(x.Shape[0], x.Shape[1], heads, x.Shape[-1].Size / heads)).Flatten(2);
}
