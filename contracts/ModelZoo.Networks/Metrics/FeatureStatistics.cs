using ModelZoo.Contracts;

namespace ModelZoo.Networks.Metrics;

/// <summary>Mean and covariance of feature vectors, in double precision.</summary>
/// <param name="Mean">(d).</param>
/// <param name="Covariance">(d, d), divided by N - 1.</param>
public sealed record FeatureStatistics(double[] Mean, double[,] Covariance)
{
    /// <summary>Of rows (n, d).</summary>
    public static FeatureStatistics Of(Tensor<float> rows)
    {
        var (n, d) = ((int)rows.Shape[0], (int)rows.Shape[1]);
        var mean = new double[d];
        for (var i = 0; i < n; i++)
        {
            var row = rows.Slice(i).Span;
            for (var j = 0; j < d; j++) mean[j] += row[j];
        }

        for (var j = 0; j < d; j++) mean[j] /= n;
        var covariance = new double[d, d];
        var centred = new double[d];
        for (var i = 0; i < n; i++)
        {
            var row = rows.Slice(i).Span;
            for (var j = 0; j < d; j++) centred[j] = row[j] - mean[j];
            for (var j = 0; j < d; j++)
            {
                for (var k = j; k < d; k++) covariance[j, k] += centred[j] * centred[k];
            }
        }

        for (var j = 0; j < d; j++)
        {
            for (var k = j; k < d; k++) covariance[k, j] = covariance[j, k] /= n - 1;
        }

        return new(mean, covariance);
    }
}
