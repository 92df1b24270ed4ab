namespace ModelZoo.Networks.Metrics;

/// <summary>Distances between point clouds by nearest neighbours.</summary>
/// <param name="ToTrue">Distance of each predicted point to the true cloud.</param>
/// <param name="ToPredicted">Distance of each true point to the predicted cloud.</param>
public sealed record Chamfer(double[] ToTrue, double[] ToPredicted)
{
    /// <summary>Between points (n, d) and true points (m, d).</summary>
    public static Chamfer Of(ReadOnlySpan<float> points, ReadOnlySpan<float> truePoints, int dimensions = 3) => new(Nearest(points, truePoints, dimensions), Nearest(truePoints, points, dimensions));

    /// <summary>Mean squared distance each way, summed (pytorch3d).</summary>
    public double L2 => ToTrue.Average(d => d * d) + ToPredicted.Average(d => d * d);

    /// <summary>Mean of the mean distances of both ways (occupancy networks).</summary>
    public double L1 => (ToTrue.Average() + ToPredicted.Average()) / 2;

    /// <summary>Largest distance of either way.</summary>
    public double Hausdorff => Math.Max(ToTrue.Max(), ToPredicted.Max());

    /// <summary>Share of predicted points nearer than the threshold to the truth.</summary>
    public double Precision(double threshold) => (double)ToTrue.Count(d => d < threshold) / ToTrue.Length;

    /// <summary>Share of true points nearer than the threshold to the prediction.</summary>
    public double Recall(double threshold) => (double)ToPredicted.Count(d => d < threshold) / ToPredicted.Length;

    /// <summary>Harmonic mean of precision and recall.</summary>
    public double FScore(double threshold) => Precision(threshold) + Recall(threshold) is var sum and > 0 ? 2 * Precision(threshold) * Recall(threshold) / sum : 0;

    private static double[] Nearest(ReadOnlySpan<float> from, ReadOnlySpan<float> to, int dimensions)
    {
        var result = new double[from.Length / dimensions];
        for (var i = 0; i < result.Length; i++)
        {
            var best = double.PositiveInfinity;
            for (var j = 0; j < to.Length; j += dimensions)
            {
                var square = 0.0;
                for (var k = 0; k < dimensions; k++) square += ((double)from[dimensions * i + k] - to[j + k]) * ((double)from[dimensions * i + k] - to[j + k]);
                best = Math.Min(best, square);
            }

            result[i] = Math.Sqrt(best);
        }

        return result;
    }
}
