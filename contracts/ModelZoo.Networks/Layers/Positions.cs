using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>Positions and times as vectors.</summary>
public static class PositionLayers
{
    /// <summary>
    /// Sinusoids of a time: cos and sin of t / maxPeriod^(i / (half - shift)). t (B) -> (B, width). DiT and ADM put cosines first and use shift 0; diffusers' blocks may use shift 1 and sines first.
    /// </summary>
    public static Value Sinusoid(this Value t, long width, double maxPeriod = 10000, double shift = 0, bool cosinesFirst = true)
    {
        var half = width / 2;
        var frequencies = new float[half];
        for (var i = 0; i < half; i++) frequencies[i] = (float)Math.Exp(-Math.Log(maxPeriod) * i / (half - shift));
        var angles = t.Cast(ElementType.Float32).Reshape(-1, 1) * t.Graph.Constant<float>(frequencies, 1, half);
        var both = cosinesFirst ? ValueShape.Concat(-1, angles.Cos(), angles.Sin()) : ValueShape.Concat(-1, angles.Sin(), angles.Cos());
        return width % 2 == 0 ? both : both.Pad(-1, 0, 1);
    }

    /// <summary>
    /// Rotary positions (Su et al., arXiv:2104.09864): pairs of channels turn by an angle. x (B, N, heads W) with cos and sin (N, W/2) or (B, N, W/2).
    /// Pairs are (i, i + W/2), or neighbours (2i, 2i + 1) when interleaved.
    /// </summary>
    public static Value Rotary(this Value x, long heads, Value cos, Value sin, bool interleaved = false)
    {
        var width = x.Shape[-1].Size / heads;
        var half = cos.Shape[-1].Size;
        var split = x.Reshape(x.Shape[0], x.Shape[1], heads, width);                       // (B, N, heads, W)
        var (c, s) = (cos.Unsqueeze(-2), sin.Unsqueeze(-2));                               // (N, 1, W/2)
        var turning = split.Take(-1, 2 * half);
        var (a, b) = interleaved
            ? (turning.Reshape(x.Shape[0], x.Shape[1], heads, half, 2).At(-1, 0), turning.Reshape(x.Shape[0], x.Shape[1], heads, half, 2).At(-1, 1))
            : turning.Chunk2();
        var (left, right) = (a * c - b * s, b * c + a * s);
        var turned = interleaved ? ValueShape.Stack(-1, left, right).Flatten(-2) : ValueShape.Concat(-1, left, right);
        return (width == 2 * half ? turned : ValueShape.Concat(-1, turned, split.From(-1, 2 * half))).Flatten(-2);
    }

    /// <summary>Angles position theta^(-2i/width) of rotary positions 0, 1, 2...: cos and sin (N, width / 2).</summary>
    public static (Value Cos, Value Sin) RotaryAngles(Graph graph, Dim positions, long width, double theta = 10000, double scale = 1)
    {
        var frequencies = new float[width / 2];
        for (var i = 0; i < frequencies.Length; i++) frequencies[i] = (float)(scale / Math.Pow(theta, 2.0 * i / width));
        var angles = AttentionLayers.Range(graph, positions).Cast(ElementType.Float32).Reshape(-1, 1) * graph.Constant<float>(frequencies, 1, frequencies.Length);
        return (angles.Cos(), angles.Sin());
    }
}
