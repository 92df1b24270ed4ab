namespace ModelZoo.Networks;

/// <summary>What each output pixel of <see cref="ResamplingLayers.Interpolate"/> takes from the input along one axis, in single precision as PyTorch computes it.</summary>
internal static class InterpolationWeights
{
    /// <summary>Linear or cubic weights (from, to), or null when the axis stays as it is.</summary>
    /// <param name="cubic">Cubic, else linear.</param>
    /// <param name="from">Pixels of the input.</param>
    /// <param name="to">Pixels of the output.</param>
    /// <param name="factor">The factor that was asked for; null when it is the ratio of the extents.</param>
    /// <param name="alignCorners">Whether the centres of the first and of the last pixels stay where they are; the factor is then not looked at.</param>
    /// <param name="antialias">Whether the kernel widens where the picture shrinks.</param>
    public static float[]? Of(bool cubic, int from, int to, double? factor, bool alignCorners, bool antialias)
    {
        var step = alignCorners ? to > 1 ? (from - 1f) / (to - 1) : 0 : factor is { } given ? (float)(1 / given) : (float)from / to;
        if (antialias) return step == 1 && from == to ? null : Antialiased(cubic, from, to, step);
        // Linear interpolation to the same extent is a copy, whatever the factor; cubic is not.
        if (from == to && (!cubic || step == 1)) return null;
        var weights = new float[from * to];
        for (var o = 0; o < to; o++)
        {
            var place = alignCorners ? step * o : step * (o + 0.5f) - 0.5f;
            if (!cubic) place = Math.Clamp(place, 0, from - 1);
            var first = (int)MathF.Floor(place);
            for (var tap = cubic ? -1 : 0; tap <= (cubic ? 2 : 1); tap++)
            {
                var distance = MathF.Abs(place - first - tap);
                weights[Math.Clamp(first + tap, 0, from - 1) * to + o] += cubic ? Cubic(distance, -0.75f) : 1 - distance;
            }
        }

        return weights;
    }

    /// <summary>Weights (from, to) of means: output o covers floor(o from / to) up to ceil((o + 1) from / to). Null when the axis stays as it is.</summary>
    public static float[]? Area(int from, int to)
    {
        if (from == to) return null;
        var weights = new float[from * to];
        for (var o = 0; o < to; o++)
        {
            var (start, end) = ((int)((long)o * from / to), (int)(((o + 1L) * from + to - 1) / to));
            for (var i = start; i < end; i++) weights[i * to + o] = 1f / (end - start);
        }

        return weights;
    }

    private static float[] Antialiased(bool cubic, int from, int to, float step)
    {
        var weights = new float[from * to];
        var wide = Math.Max(step, 1);
        var reach = (cubic ? 2 : 1) * wide;
        for (var o = 0; o < to; o++)
        {
            var centre = step * (o + 0.5f);
            var (start, end) = (Math.Max((int)(centre - reach + 0.5f), 0), Math.Min((int)(centre + reach + 0.5f), from));
            var sum = 0f;
            for (var i = start; i < end; i++)
            {
                var distance = MathF.Abs((i - centre + 0.5f) / wide);
                sum += weights[i * to + o] = cubic ? Cubic(distance, -0.5f) : Math.Max(0, 1 - distance);
            }

            for (var i = start; i < end; i++) weights[i * to + o] /= sum;
        }

        return weights;
    }

    // Keys' kernel (1981), eq. 4.
    private static float Cubic(float x, float a) => x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}
