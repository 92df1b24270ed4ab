// Demystifying MMD GANs (KID). Binkowski, Sutherland, Arbel, Gretton. arXiv:1801.01401.
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Metrics;

/// <summary>Unbiased squared maximum mean discrepancy under the polynomial kernel (gamma x.y + coef)^degree.</summary>
/// <param name="Degree">Of the polynomial.</param>
/// <param name="Gamma">Factor of the product; null for one over the number of features.</param>
/// <param name="Coefficient">Constant term.</param>
public sealed record KernelDistance(int Degree = 3, double? Gamma = null, double Coefficient = 1)
{
    /// <summary>Between two sets of rows (m, d).</summary>
    public double Compute(Tensor<float> real, Tensor<float> fake)
    {
        var (m, n) = ((int)real.Shape[0], (int)fake.Shape[0]);
        return Sum(real, real, skipDiagonal: true) / ((double)m * (m - 1)) + Sum(fake, fake, skipDiagonal: true) / ((double)n * (n - 1)) - 2 * Sum(real, fake, skipDiagonal: false) / ((double)m * n);
    }

    private double Sum(Tensor<float> a, Tensor<float> b, bool skipDiagonal)
    {
        var gamma = Gamma ?? 1.0 / a.Shape[1];
        var sum = 0.0;
        for (var i = 0; i < a.Shape[0]; i++)
        {
            var x = a.Slice(i).Span;
            for (var j = 0; j < b.Shape[0]; j++)
            {
                if (skipDiagonal && i == j) continue;
                var y = b.Slice(j).Span;
                var product = 0.0;
                for (var k = 0; k < x.Length; k++) product += (double)x[k] * y[k];
                sum += Math.Pow(product * gamma + Coefficient, Degree);
            }
        }

        return sum;
    }
}
