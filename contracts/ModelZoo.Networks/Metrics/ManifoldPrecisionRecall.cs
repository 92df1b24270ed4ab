// Improved Precision and Recall Metric for Assessing Generative Models. Kynkäänniemi et al. arXiv:1904.06991. Density and coverage: Naeem et al. arXiv:2002.09797.
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Metrics;

/// <summary>Fidelity and diversity by balls around each point that reach to its k-th nearest neighbour.</summary>
public static class ManifoldPrecisionRecall
{
    /// <summary>Precision and recall; a point on a ball's surface is inside (torch-fidelity).</summary>
    /// <param name="real">(n, d).</param>
    /// <param name="fake">(m, d).</param>
    public static (double Precision, double Recall) Compute(Tensor<float> real, Tensor<float> fake, int neighborhood)
    {
        var (between, realRadii, fakeRadii) = (Distances(real, fake), Radii(real, neighborhood), Radii(fake, neighborhood));
        var precision = Share((int)fake.Shape[0], j => Any((int)real.Shape[0], i => between[i, j] <= realRadii[i]));
        var recall = Share((int)real.Shape[0], i => Any((int)fake.Shape[0], j => between[i, j] <= fakeRadii[j]));
        return (precision, recall);
    }

    /// <summary>Precision, recall, density and coverage; a point on a ball's surface is outside (prdc).</summary>
    public static (double Precision, double Recall, double Density, double Coverage) Prdc(Tensor<float> real, Tensor<float> fake, int nearest)
    {
        var (n, m) = ((int)real.Shape[0], (int)fake.Shape[0]);
        var (between, realRadii, fakeRadii) = (Distances(real, fake), Radii(real, nearest), Radii(fake, nearest));
        var inside = 0L;
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < m; j++)
            {
                if (between[i, j] < realRadii[i]) inside++;
            }
        }

        return (
            Share(m, j => Any(n, i => between[i, j] < realRadii[i])),
            Share(n, i => Any(m, j => between[i, j] < fakeRadii[j])),
            (double)inside / nearest / m,
            Share(n, i => Any(m, j => between[i, j] < realRadii[i])));
    }

    private static double[] Radii(Tensor<float> points, int nearest)
    {
        var distances = Distances(points, points);
        var n = distances.GetLength(0);
        var radii = new double[n];
        for (var i = 0; i < n; i++)
        {
            var row = new double[n];
            for (var j = 0; j < n; j++) row[j] = j == i ? 0 : distances[i, j];
            Array.Sort(row);
            radii[i] = row[nearest];
        }

        return radii;
    }

    private static double[,] Distances(Tensor<float> a, Tensor<float> b)
    {
        var result = new double[a.Shape[0], b.Shape[0]];
        for (var i = 0; i < a.Shape[0]; i++)
        {
            var x = a.Slice(i).Span;
            for (var j = 0; j < b.Shape[0]; j++)
            {
                var y = b.Slice(j).Span;
                var sum = 0.0;
                for (var k = 0; k < x.Length; k++) sum += ((double)x[k] - y[k]) * ((double)x[k] - y[k]);
                result[i, j] = Math.Sqrt(sum);
            }
        }

        return result;
    }

    private static double Share(int count, Func<int, bool> test) => (double)Enumerable.Range(0, count).Count(test) / count;

    private static bool Any(int count, Func<int, bool> test) => Enumerable.Range(0, count).Any(test);
}
