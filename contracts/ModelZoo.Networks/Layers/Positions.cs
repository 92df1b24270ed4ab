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
        // In single precision step by step, as the published codes compute: times reach 1000, and the last digit of a frequency shows.
        for (var i = 0; i < half; i++) frequencies[i] = MathF.Exp(-(float)Math.Log(maxPeriod) * i / (float)(half - shift));
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
    public static (Value Cos, Value Sin) RotaryAngles(Graph graph, Dim positions, long width, double theta = 10000, double scale = 1) => RotaryAngles(AttentionLayers.Range(graph, positions), width, theta, scale);

    /// <summary>Angles position theta^(-2i/width) of given rotary positions, (N) or (B, N): cos and sin (.., width / 2).</summary>
    public static (Value Cos, Value Sin) RotaryAngles(Value positions, long width, double theta = 10000, double scale = 1)
    {
        var frequencies = new float[width / 2];
        for (var i = 0; i < frequencies.Length; i++) frequencies[i] = (float)(scale / Math.Pow(theta, 2.0 * i / width));
        var angles = positions.Cast(ElementType.Float32).Unsqueeze(-1) * positions.Graph.Constant<float>(frequencies, 1, frequencies.Length);
        return (angles.Cos(), angles.Sin());
    }

    /// <summary>
    /// Angles of rotary positions on a grid of known sizes, row-major: axis a turns <paramref name="widths"/>[a] channels, the axes one after the other. cos and sin (product of the sizes, sum of the widths / 2).
    /// </summary>
    public static (Value Cos, Value Sin) RotaryAngles(Graph graph, ReadOnlySpan<long> sizes, ReadOnlySpan<long> widths, double theta = 10000)
    {
        var (count, half) = (1L, 0L);
        foreach (var size in sizes) count *= size;
        foreach (var width in widths) half += width / 2;
        float[] cos = new float[count * half], sin = new float[count * half];
        for (var (place, target) = (0L, 0L); place < count; place++)
        {
            var inner = count;
            for (var axis = 0; axis < sizes.Length; axis++)
            {
                inner /= sizes[axis];
                var coordinate = (float)(place / inner % sizes[axis]);
                for (var i = 0; i < widths[axis] / 2; i++, target++)
                {
                    var angle = coordinate * (float)Math.Pow(theta, -2.0 * i / widths[axis]);
                    (cos[target], sin[target]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
                }
            }
        }

        return (graph.Constant<float>(cos, count, half), graph.Constant<float>(sin, count, half));
    }

    /// <summary>
    /// The fixed positions of MAE and DiT: half of the channels for each axis of a grid, of which the first half are sines and the second cosines of place / 10000^(i / (width / 4)). (rows columns, width). The authors put columns first.
    /// </summary>
    public static Value SinCosGrid(Graph graph, int rows, int columns, int width, double scale = 1, bool columnsFirst = true)
    {
        if (width % 4 != 0) throw new GraphException("A grid's positions are four equal parts.") { Where = graph.Name, Expected = "a width that 4 divides", Found = width.ToString() };
        var quarter = width / 4;
        var table = new float[rows * columns * width];
        for (var place = 0; place < rows * columns; place++)
        {
            for (var channel = 0; channel < width; channel++)
            {
                var coordinate = (channel < 2 * quarter == columnsFirst ? place % columns : place / columns) * scale;
                var angle = coordinate / Math.Pow(10000, (double)(channel % quarter) / quarter);
                table[place * width + channel] = (float)(channel / quarter % 2 == 0 ? Math.Sin(angle) : Math.Cos(angle));
            }
        }

        return graph.Constant<float>(table, rows * columns, width);
    }

    /// <summary>Random Fourier features of a time: sin and cos of 2 pi t w. <c>weight</c> (width / 2). t (B) -> (B, width).</summary>
    public static Value FourierFeatures(this Scope scope, Value t, long width, bool cosinesFirst = false)
    {
        var angles = t.Cast(ElementType.Float32).Reshape(-1, 1) * scope.Weight("weight", width / 2) * (2 * Math.PI);
        return cosinesFirst ? ValueShape.Concat(-1, angles.Cos(), angles.Sin()) : ValueShape.Concat(-1, angles.Sin(), angles.Cos());
    }
}
