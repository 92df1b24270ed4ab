using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Small vector arithmetic in double precision.</summary>
internal static class Vectors
{
    /// <summary>Sum of products.</summary>
    public static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++) sum += (double)a[i] * b[i];
        return sum;
    }

    /// <summary>Cosine of the angle; 0 when a vector is zero.</summary>
    public static double Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => Dot(a, b) / Math.Max(1e-8, Math.Sqrt(Dot(a, a)) * Math.Sqrt(Dot(b, b)));

    /// <summary>Exponentials that sum to one.</summary>
    public static double[] Softmax(IReadOnlyList<double> scores)
    {
        if (scores.Count == 0) return [];
        var max = scores.Max();
        double[] weights = [.. scores.Select(score => Math.Exp(score - max))];
        var sum = weights.Sum();
        return [.. weights.Select(weight => weight / sum)];
    }

    /// <summary>Pearson's correlation.</summary>
    public static double Pearson(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        var (meanX, meanY) = (x.Average(), y.Average());
        var (xy, xx, yy) = (0.0, 0.0, 0.0);
        for (var i = 0; i < x.Count; i++)
        {
            var (dx, dy) = (x[i] - meanX, y[i] - meanY);
            xy += dx * dy;
            xx += dx * dx;
            yy += dy * dy;
        }

        return xy / Math.Sqrt(xx * yy);
    }
}

/// <summary>Small tensors as doubles.</summary>
internal static class Widening
{
    /// <summary>The numbers of any common type as doubles.</summary>
    public static Tensor<double> ToDoubles(this Tensor tensor) => tensor switch
    {
        Tensor<double> wide => wide,
        Tensor<float> reals => Convert(reals, static value => value),
        Tensor<long> integers => Convert(integers, static value => value),
        Tensor<int> integers => Convert(integers, static value => value),
        _ => throw new ModelZooException(ErrorCodes.TensorType, "The tensor is not of numbers.") { Found = tensor.ToString() },
    };

    private static Tensor<double> Convert<T>(Tensor<T> tensor, Func<T, double> widen) where T : unmanaged
    {
        var wide = Tensor.Zeros<double>(tensor.Shape);
        for (var i = 0; i < tensor.Length; i++) wide.Span[i] = widen(tensor.Span[i]);
        return wide;
    }
}
