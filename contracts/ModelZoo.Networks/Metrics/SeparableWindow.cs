namespace ModelZoo.Networks.Metrics;

/// <summary>Weighted means over neighbourhoods of pictures (height, width) or volumes, one dimension after the other.</summary>
/// <param name="weights">Weights of each dimension; they sum to 1.</param>
public sealed class SeparableWindow(double[][] weights)
{
    /// <summary>A Gaussian of that extent and standard deviation along each dimension.</summary>
    public static SeparableWindow Gaussian(IReadOnlyList<int> sizes, IReadOnlyList<double> sigmas) => new([.. sizes.Zip(sigmas, Gaussian)]);

    /// <summary>Equal weights.</summary>
    public static SeparableWindow Uniform(IReadOnlyList<int> sizes) => new([.. sizes.Select(size => Enumerable.Repeat(1.0 / size, size).ToArray())]);

    /// <summary>Points to each side of the middle.</summary>
    public int[] Margins => Array.ConvertAll(weights, w => (w.Length - 1) / 2);

    /// <summary>Means where the whole neighbourhood lies within. A dimension that is shorter than the window is left as it is.</summary>
    /// <param name="values">In the order of <paramref name="extents"/>, the last running fastest.</param>
    /// <param name="extents">Extent of each dimension.</param>
    internal (double[] Values, int[] Extents) Valid(double[] values, int[] extents)
    {
        var kept = extents.ToArray();
        for (var axis = 0; axis < weights.Length; axis++)
        {
            if (kept[axis] < weights[axis].Length) continue;
            var (outer, inner) = Around(kept, axis);
            var (from, to) = (kept[axis] * inner, (kept[axis] - weights[axis].Length + 1) * inner);
            var means = new double[outer * to];
            for (var o = 0; o < outer; o++)
            {
                for (var k = 0; k < weights[axis].Length; k++)
                {
                    var weight = weights[axis][k];
                    var source = values.AsSpan(o * from + k * inner, to);
                    var target = means.AsSpan(o * to, to);
                    for (var i = 0; i < to; i++) target[i] += weight * source[i];
                }
            }

            (values, kept[axis]) = (means, to / inner);
        }

        return (values, kept);
    }

    /// <summary>Means where the whole neighbourhood lies within, once mirror images have been put around.</summary>
    /// <param name="values">In the order of <paramref name="extents"/>.</param>
    /// <param name="extents">Extent of each dimension.</param>
    /// <param name="margins">What is put to either side of each dimension.</param>
    /// <param name="repeatBorder">The border belongs to the picture and to its mirror image both.</param>
    internal (double[] Values, int[] Extents) Mirrored(double[] values, int[] extents, int[] margins, bool repeatBorder)
    {
        var wide = extents.ToArray();
        for (var axis = 0; axis < weights.Length; axis++)
        {
            var (outer, inner) = Around(wide, axis);
            var (length, padded) = (wide[axis], wide[axis] + 2 * margins[axis]);
            var result = new double[outer * padded * inner];
            for (var o = 0; o < outer; o++)
            {
                for (var i = 0; i < padded; i++)
                    values.AsSpan((o * length + Mirror(i - margins[axis], length, repeatBorder)) * inner, inner).CopyTo(result.AsSpan((o * padded + i) * inner));
            }

            (values, wide[axis]) = (result, padded);
        }

        return Valid(values, wide);
    }

    /// <summary>What lies at least a margin away from every side.</summary>
    internal static double[] Inside(double[] values, int[] extents, int[] margins)
    {
        var kept = extents.ToArray();
        for (var axis = 0; axis < margins.Length; axis++)
        {
            var (outer, inner) = Around(kept, axis);
            var (from, inside, skipped) = (kept[axis] * inner, Math.Max(0, kept[axis] - 2 * margins[axis]), margins[axis] * inner);
            values = [.. Enumerable.Range(0, outer).SelectMany(o => values.Skip(o * from + skipped).Take(inside * inner))];
            kept[axis] = inside;
        }

        return values;
    }

    private static double[] Gaussian(int size, double sigma)
    {
        var values = new double[size];
        for (var i = 0; i < size; i++) values[i] = Math.Exp(-Math.Pow(i - (size - 1) / 2.0, 2) / (2 * sigma * sigma));
        var sum = values.Sum();
        return Array.ConvertAll(values, v => v / sum);
    }

    // Numbers of points over the dimensions before and after one.
    private static (int Outer, int Inner) Around(int[] extents, int axis) =>
        (extents.Take(axis).Aggregate(1, (a, b) => a * b), extents.Skip(axis + 1).Aggregate(1, (a, b) => a * b));

    private static int Mirror(int i, int length, bool repeatBorder)
    {
        var period = repeatBorder ? 2 * length : Math.Max(1, 2 * length - 2);
        var folded = ((i % period) + period) % period;
        return folded < length ? folded : period - folded - (repeatBorder ? 1 : 0);
    }
}
