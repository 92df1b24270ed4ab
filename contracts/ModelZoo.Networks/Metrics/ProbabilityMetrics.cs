namespace ModelZoo.Networks.Metrics;

/// <summary>Measures of class probabilities and scores.</summary>
public static class ProbabilityMetrics
{
    /// <summary>Mean negative log-probability of the true class.</summary>
    /// <param name="probabilities">Rows of class probabilities.</param>
    public static double LogLoss(double[][] probabilities, ReadOnlySpan<long> labels)
    {
        var sum = 0.0;
        for (var i = 0; i < labels.Length; i++) sum -= Math.Log(Math.Clamp(probabilities[i][labels[i]], 2.220446049250313e-16, 1 - 2.220446049250313e-16));
        return sum / labels.Length;
    }

    /// <summary>Share of samples whose class is among the k highest scores.</summary>
    public static double TopAccuracy(double[][] scores, ReadOnlySpan<long> labels, int k)
    {
        var right = 0;
        for (var i = 0; i < labels.Length; i++)
        {
            // The class must be among the last k of an ascending stable order: of equal scores the later class counts as higher.
            var (row, label) = (scores[i], (int)labels[i]);
            if (row.Where((score, c) => score > row[label] || (score == row[label] && c > label)).Count() < k) right++;
        }

        return (double)right / labels.Length;
    }

    /// <summary>Area under the receiver operating characteristic: the chance that a positive scores above a negative, ties half.</summary>
    public static double Auroc(IReadOnlyList<double> scores, IReadOnlyList<bool> positive)
    {
        var ranks = Correlation.Ranks(scores);
        double positives = positive.Count(p => p), negatives = positive.Count - positives;
        var sum = ranks.Where((_, i) => positive[i]).Sum();
        return (sum - positives * (positives + 1) / 2) / (positives * negatives);
    }

    /// <summary>Average precision: precision at each threshold, weighted by the growth of recall.</summary>
    public static double AveragePrecision(IReadOnlyList<double> scores, IReadOnlyList<bool> positive)
    {
        var order = Enumerable.Range(0, scores.Count).OrderByDescending(i => scores[i]).ToArray();
        double positives = positive.Count(p => p), found = 0, sum = 0;
        for (var start = 0; start < order.Length;)
        {
            var end = start;
            var before = found;
            while (end < order.Length && scores[order[end]] == scores[order[start]]) found += positive[order[end++]] ? 1 : 0;
            sum += (found - before) / positives * (found / end);
            start = end;
        }

        return sum;
    }

    /// <summary>Expected calibration error: difference of accuracy and confidence in equal bins of confidence, weighted by the bins' shares. Full confidence, in single precision, has a bin of its own.</summary>
    public static double CalibrationError(double[][] probabilities, ReadOnlySpan<long> labels, int bins = 15)
    {
        var (confidence, right) = (new double[bins + 1], new double[bins + 1]);
        for (var i = 0; i < labels.Length; i++)
        {
            var top = probabilities[i].Max();
            var bin = (int)((float)top * bins);
            confidence[bin] += top;
            right[bin] += Array.IndexOf(probabilities[i], top) == labels[i] ? 1 : 0;
        }

        return Enumerable.Range(0, bins + 1).Sum(b => Math.Abs(right[b] - confidence[b])) / labels.Length;
    }
}
