using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>How the state of a linear attention takes in a new key and value. S is the state (dk, dv), k a key, v a value, g a logarithm of decay, beta a rate.</summary>
public enum StateUpdate
{
    /// <summary>S + k v^T (Katharopoulos et al., arXiv:2006.16236).</summary>
    Linear,
    /// <summary>exp(g) S + k v^T: gated linear attention (Yang et al., arXiv:2312.06635), RetNet, Mamba-2.</summary>
    Gated,
    /// <summary>S + beta k (v - S^T k)^T: the delta rule (Yang et al., arXiv:2406.06484).</summary>
    Delta,
    /// <summary>The delta rule on exp(g) S (Yang et al., arXiv:2412.06464).</summary>
    GatedDelta,
}

/// <summary>What linear attention gives: outputs (B, T, heads V), and the state after the last step (B, heads, K, V), from which another run goes on.</summary>
/// <param name="Output">One output a step.</param>
/// <param name="State">The state at the end.</param>
public readonly record struct Recurrence(Value Output, Value State);

/// <summary>Attention without softmax, whose memory is a matrix for each head instead of all keys; and the state-space scans that are cases of it. Time is linear in the length, by ONNX Runtime's fused operators.</summary>
public static class LinearAttentionLayers
{
    /// <summary>
    /// o_t = scale S_t^T q_t, where S_t follows from S_(t-1) by the <paramref name="update"/>. q (B, T, heads K) or fewer heads, k likewise, v (B, T, heads V) -> outputs (B, T, heads V). Heads of keys and of queries are shared by as many
    /// heads of values as there are for each, in order.
    /// </summary>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="width">Width K of a query and of a key.</param>
    /// <param name="heads">Heads of the values, each with a state.</param>
    /// <param name="update">The rule.</param>
    /// <param name="decay">Logarithms of decays, (B, T, heads), or (B, T, heads K) for one a row of the state; for the gated rules.</param>
    /// <param name="beta">Rates (B, T, heads); for the delta rules.</param>
    /// <param name="state">The state to go on from, (B, heads, K, V); null for zeros.</param>
    /// <param name="scale">Factor on the outputs.</param>
    /// <exception cref="GraphException">Shapes do not fit, or a rule lacks what it needs.</exception>
    public static Recurrence LinearAttention(Value q, Value k, Value v, long width, long heads, StateUpdate update, Value? decay = null, Value? beta = null, Value? state = null, double scale = 1)
    {
        var (gated, delta) = (update is StateUpdate.Gated or StateUpdate.GatedDelta, update is StateUpdate.Delta or StateUpdate.GatedDelta);
        if (gated != decay is not null || delta != beta is not null)
            throw new GraphException("Gated rules take decays and delta rules take rates; others take none.") { Where = q.Path, Expected = update.ToString(), Found = $"decays: {decay}, rates: {beta}" };
        var (queries, keys, wide) = (Heads(q, width, heads), Heads(k, width, heads), Heads(v, v.Shape[2].Size / heads, heads) == heads ? v.Shape[2].Size / heads : 0);
        if (keys == 0 || queries == 0 || wide == 0) throw new GraphException("Linear attention takes queries, keys and values whose heads divide one another.") { Where = q.Path, Expected = $"{heads} heads, keys {width} wide", Found = $"{q}, {k}, {v}" };
        var outputs = q.Graph.Nodes(q.Path, "com.microsoft:LinearAttention", [q, k, v, state, decay, beta], [(v.Type, v.Shape), (v.Type, [v.Shape[0], heads, width, wide])],
            ("q_num_heads", queries), ("kv_num_heads", heads), ("update_rule", Rule(update)), ("scale", (float)scale));
        return new(outputs[0], outputs[1]);
    }

    /// <summary>
    /// The selective scan of Mamba (Gu, Dao, arXiv:2312.00752): h_t = exp(delta_t A) h_(t-1) + delta_t B_t x_t, y_t = C_t h_t + D x_t, for each channel with N states. It is gated linear attention with a head for each channel, whose key is B, whose
    /// query is C and whose value is one number. x and delta (B, T, D), a (D, N), b and c (B, T, N), skip (D) -> (B, T, D), state (B, D, N, 1).
    /// </summary>
    /// <param name="x">Input.</param>
    /// <param name="delta">Step sizes, after softplus.</param>
    /// <param name="a">Rates of decay: negative numbers.</param>
    /// <param name="b">How the input enters the states.</param>
    /// <param name="c">How the states are read.</param>
    /// <param name="skip">The factor D on the input; null for none.</param>
    /// <param name="state">The state to go on from; null for zeros.</param>
    public static Recurrence SelectiveScan(Value x, Value delta, Value a, Value b, Value c, Value? skip = null, Value? state = null)
    {
        var decay = (delta.Unsqueeze(3) * a).Flatten(2);                                                                 // (B, T, D N)
        var scan = LinearAttention(c, b, delta * x, a.Shape[1].Size, a.Shape[0].Size, StateUpdate.Gated, decay, state: state);
        return skip is null ? scan : scan with { Output = scan.Output + x * skip };
    }

    /// <summary>
    /// The scan of Mamba-2 (Dao, Gu, arXiv:2405.21060, state-space duality): h_t = exp(delta_t a) h_(t-1) + delta_t B_t x_t^T, y_t = C_t h_t + D x_t, with one decay a head. It is gated linear attention with C, B and delta x for queries, keys
    /// and values. x (B, T, H P), delta (B, T, H), a (H), b and c (B, T, groups N), skip (H) -> (B, T, H P), state (B, H, N, P).
    /// </summary>
    /// <param name="x">Input.</param>
    /// <param name="delta">Step sizes, after softplus.</param>
    /// <param name="a">Rates of decay: negative numbers.</param>
    /// <param name="b">How the input enters the states; a group is shared by as many heads as there are for each.</param>
    /// <param name="c">How the states are read.</param>
    /// <param name="states">N.</param>
    /// <param name="skip">The factor D on the input; null for none.</param>
    /// <param name="state">The state to go on from; null for zeros.</param>
    public static Recurrence StateSpaceDual(Value x, Value delta, Value a, Value b, Value c, long states, Value? skip = null, Value? state = null)
    {
        var heads = a.Shape[0].Size;
        Value Spread(Value perHead) => (x.Reshape(x.Shape[0], x.Shape[1], heads, -1) * perHead).Reshape([.. x.Shape]);     // a factor for each head
        var scan = LinearAttention(c, b, Spread(delta.Unsqueeze(3)), states, heads, StateUpdate.Gated, delta * a, state: state);
        return skip is null ? scan : scan with { Output = scan.Output + Spread(skip.Reshape(heads, 1)) };
    }

    /// <summary>
    /// A convolution of each channel over time that sees only what came before, with the last inputs as a state, as state-space and linear-attention layers have before their scan. <c>weight</c> (C, 1, kernel), <c>bias</c> (C).
    /// x (B, T, C) -> (B, T, C), state (B, C, kernel - 1).
    /// </summary>
    /// <param name="scope">Where the weights are.</param>
    /// <param name="x">Input.</param>
    /// <param name="kernel">Inputs that an output sees.</param>
    /// <param name="silu">Whether SiLU follows.</param>
    /// <param name="state">The inputs before the first; null for zeros.</param>
    /// <param name="bias">Whether there is a bias.</param>
    public static Recurrence CausalChannelConv(this Scope scope, Value x, long kernel, bool silu, Value? state = null, bool bias = true)
    {
        var channels = x.Shape[2].Size;
        var outputs = scope.Graph.Nodes(scope.Path, "com.microsoft:CausalConvWithState", [x.Swap(1, 2), scope.Weight("weight", channels, 1, kernel), bias ? scope.Weight("bias", channels) : null, state],
            [(x.Type, [x.Shape[0], channels, x.Shape[1]]), (x.Type, [x.Shape[0], channels, kernel - 1])], ("ndim", 1L), ("activation", silu ? "silu" : "none"));
        return new(outputs[0].Swap(1, 2), outputs[1]);
    }

    // How many heads of that width; 0 when they do not divide those of the values.
    private static long Heads(Value x, long width, long heads)
    {
        var (count, rest) = width == 0 ? (0, 1) : Math.DivRem(x.Shape[2].Size, width);
        return rest == 0 && count > 0 && heads % count == 0 ? count : 0;
    }

    private static string Rule(StateUpdate update) => update switch
    {
        StateUpdate.Linear => "linear",
        StateUpdate.Gated => "gated",
        StateUpdate.Delta => "delta",
        _ => "gated_delta",
    };
}
