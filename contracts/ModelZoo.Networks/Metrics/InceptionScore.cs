// Improved Techniques for Training GANs. Salimans et al. arXiv:1606.03498.
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Metrics;

/// <summary>exp of the mean divergence of class distributions from their marginal.</summary>
public static class InceptionScore
{
    /// <summary>Mean and population standard deviation over splits of consecutive rows.</summary>
    /// <param name="logits">(n, classes).</param>
    public static (double Mean, double Deviation) Compute(Tensor<float> logits, int splits)
    {
        var (n, classes) = ((int)logits.Shape[0], (int)logits.Shape[1]);
        var probabilities = new double[n][];
        for (var i = 0; i < n; i++) probabilities[i] = Softmax.Of(logits.Slice(i).Span);
        var scores = new double[splits];
        for (var split = 0; split < splits; split++)
        {
            var rows = probabilities[(int)((long)split * n / splits)..(int)((long)(split + 1) * n / splits)];
            var marginal = new double[classes];
            foreach (var row in rows)
            {
                for (var c = 0; c < classes; c++) marginal[c] += row[c] / rows.Length;
            }

            scores[split] = Math.Exp(rows.Average(row => row.Select((p, c) => p > 0 ? p * (Math.Log(p) - Math.Log(marginal[c])) : 0).Sum()));
        }

        var mean = scores.Average();
        return (mean, Math.Sqrt(scores.Average(s => (s - mean) * (s - mean))));
    }
}
