// GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium (FID). Heusel et al. arXiv:1706.08500. Also FVD (arXiv:1812.01717) on video features.
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Metrics;

/// <summary>Fréchet distance between Gaussians: |m1 - m2|² + tr(C1) + tr(C2) - 2 tr((C1 C2)^½).</summary>
public static class FrechetDistance
{
    /// <summary>Between two sets' statistics.</summary>
    public static double Compute(FeatureStatistics first, FeatureStatistics second)
    {
        var d = first.Mean.Length;
        var distance = 0.0;
        for (var i = 0; i < d; i++) distance += Math.Pow(first.Mean[i] - second.Mean[i], 2) + first.Covariance[i, i] + second.Covariance[i, i];

        // C1 C2 has the eigenvalues of the symmetric C1^½ C2 C1^½.
        var root = SquareRoot(first.Covariance);
        var (values, _) = SymmetricEigen.Decompose(Multiply(Multiply(root, second.Covariance), root));
        return distance - 2 * values.Sum(value => Math.Sqrt(Math.Max(0, value)));
    }

    private static double[,] SquareRoot(double[,] matrix)
    {
        var (values, vectors) = SymmetricEigen.Decompose(matrix);
        var d = values.Length;
        var (scaled, transposed) = (new double[d, d], new double[d, d]);
        for (var i = 0; i < d; i++)
        {
            for (var j = 0; j < d; j++) (scaled[i, j], transposed[j, i]) = (vectors[i, j] * Math.Sqrt(Math.Max(0, values[j])), vectors[i, j]);
        }

        return Multiply(scaled, transposed);
    }

    private static double[,] Multiply(double[,] a, double[,] b)
    {
        var d = a.GetLength(0);
        var result = new double[d, d];
        for (var i = 0; i < d; i++)
        {
            for (var k = 0; k < d; k++)
            {
                var factor = a[i, k];
                for (var j = 0; j < d; j++) result[i, j] += factor * b[k, j];
            }
        }

        return result;
    }
}
