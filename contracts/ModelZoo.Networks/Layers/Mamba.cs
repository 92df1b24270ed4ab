using System.Numerics.Tensors;

namespace ModelZoo.Networks;

/// <summary>What a state-space layer carries from one run to the next.</summary>
/// <param name="Convolution">The inputs that the convolution still sees, (B, channels, kernel - 1).</param>
/// <param name="Scan">The states of the scan.</param>
public sealed record MambaState(Value Convolution, Value Scan);

/// <summary>The layers of Mamba and Mamba-2 under their published names.</summary>
public static class MambaLayers
{
    /// <summary>
    /// Mamba's mixer (arXiv:2312.00752, figure 3): <c>in_proj</c>, <c>conv1d</c>, <c>x_proj</c>, <c>dt_proj</c>, <c>A_log</c>, <c>D</c>, <c>out_proj</c>. x (B, T, M) -> (B, T, M).
    /// </summary>
    /// <param name="mixer">Where the weights are.</param>
    /// <param name="x">Input, normalised.</param>
    /// <param name="inner">Channels D inside.</param>
    /// <param name="states">States N a channel.</param>
    /// <param name="rank">Rank of the step sizes' map.</param>
    /// <param name="kernel">Kernel of the convolution.</param>
    /// <param name="before">The state to go on from; null for zeros.</param>
    public static (Value Output, MambaState State) Mamba(this Scope mixer, Value x, long inner, long states, long rank, long kernel = 4, MambaState? before = null)
    {
        var (u, gate) = mixer["in_proj"].Linear(x, 2 * inner, bias: false).Chunk2();
        var conv = mixer["conv1d"].CausalChannelConv(u, kernel, silu: true, before?.Convolution);
        var parts = mixer["x_proj"].Linear(conv.Output, rank + 2 * states, bias: false).Split(2, rank, states, states);
        var delta = mixer["dt_proj"].Linear(parts[0], inner).Softplus();
        var scan = LinearAttentionLayers.SelectiveScan(conv.Output, delta, mixer.Decays(inner, states), parts[1], parts[2], mixer.Weight("D", inner), before?.Scan);
        return (mixer["out_proj"].Linear(scan.Output * gate.Silu(), x.Shape[2].Size, bias: false), new(conv.State, scan.State));
    }

    /// <summary>
    /// Mamba-2's mixer (arXiv:2405.21060, figure 6): <c>in_proj</c>, <c>conv1d</c>, <c>dt_bias</c>, <c>A_log</c>, <c>D</c>, <c>norm</c>, <c>out_proj</c>. x (B, T, M) -> (B, T, M).
    /// </summary>
    /// <param name="mixer">Where the weights are.</param>
    /// <param name="x">Input, normalised.</param>
    /// <param name="heads">Heads H.</param>
    /// <param name="width">Width P of a head.</param>
    /// <param name="states">States N.</param>
    /// <param name="groups">Groups of heads that share B and C.</param>
    /// <param name="kernel">Kernel of the convolution.</param>
    /// <param name="epsilon">Of the gated norm.</param>
    /// <param name="before">The state to go on from; null for zeros.</param>
    public static (Value Output, MambaState State) Mamba2(this Scope mixer, Value x, long heads, long width, long states, long groups = 1, long kernel = 4, double epsilon = 1e-5, MambaState? before = null)
    {
        var (inner, shared) = (heads * width, groups * states);
        var parts = mixer["in_proj"].Linear(x, 2 * inner + 2 * shared + heads, bias: false).Split(2, inner, inner + 2 * shared, heads);
        var conv = mixer["conv1d"].CausalChannelConv(parts[1], kernel, silu: true, before?.Convolution);
        var inputs = conv.Output.Split(2, inner, shared, shared);
        var delta = (parts[2] + mixer.Weight("dt_bias", heads)).Softplus();
        var scan = LinearAttentionLayers.StateSpaceDual(inputs[0], delta, mixer.Decays(heads), inputs[1], inputs[2], states, mixer.Weight("D", heads), before?.Scan);
        return (mixer["out_proj"].Linear(mixer["norm"].RmsNorm(scan.Output * parts[0].Silu(), epsilon), x.Shape[2].Size, bias: false), new(conv.State, scan.State));
    }

    // A = -exp(A_log), which keeps it negative.
    private static Value Decays(this Scope mixer, params ReadOnlySpan<long> shape)
    {
        var logarithms = mixer.Data("A_log", shape);
        return mixer.Derive("A_log:decay", shape, decays =>
        {
            TensorPrimitives.Exp(logarithms.Span<float>(), decays);
            TensorPrimitives.Negate(decays, decays);
        });
    }
}
