namespace ModelZoo.Networks.Metrics;

/// <summary>Measures of multi-class classification, with scikit-learn's conventions; undefined ratios are zero.</summary>
/// <param name="Confusion">(true class, predicted class).</param>
public sealed record ClassificationMetrics(long[,] Confusion)
{
    private int Classes => Confusion.GetLength(0);

    /// <summary>Counts pairs of true and predicted class; the label <paramref name="ignore"/> is passed over.</summary>
    public static ClassificationMetrics Count(ReadOnlySpan<long> labels, ReadOnlySpan<long> predictions, int classes, long? ignore = null)
    {
        var confusion = new long[classes, classes];
        for (var i = 0; i < labels.Length; i++)
        {
            if (labels[i] != ignore) confusion[labels[i], predictions[i]]++;
        }

        return new(confusion);
    }

    /// <summary>Samples of a true class.</summary>
    public long Support(int c) => Enumerable.Range(0, Classes).Sum(other => Confusion[c, other]);

    /// <summary>Samples predicted as a class.</summary>
    public long Predicted(int c) => Enumerable.Range(0, Classes).Sum(other => Confusion[other, c]);

    /// <summary>Samples in all.</summary>
    public long Total => Confusion.Cast<long>().Sum();

    /// <summary>Share that is right.</summary>
    public double Accuracy => Ratio(Right, Total);

    /// <summary>Mean recall of the classes that occur.</summary>
    public double BalancedAccuracy => Occurring.Average(Recall);

    /// <summary>Right among those predicted as a class.</summary>
    public double Precision(int c) => Ratio(Confusion[c, c], Predicted(c));

    /// <summary>Right among those of a class.</summary>
    public double Recall(int c) => Ratio(Confusion[c, c], Support(c));

    /// <summary>Harmonic mean of precision and recall.</summary>
    public double F1(int c) => Ratio(2 * Confusion[c, c], Support(c) + Predicted(c));

    /// <summary>Intersection over union of a class.</summary>
    public double Iou(int c) => Ratio(Confusion[c, c], Support(c) + Predicted(c) - Confusion[c, c]);

    /// <summary>Mean of a measure over the classes that occur in truth or prediction.</summary>
    public double Macro(Func<int, double> measure) => Present.Average(measure);

    /// <summary>Mean of a measure weighted by support.</summary>
    public double Weighted(Func<int, double> measure) => Enumerable.Range(0, Classes).Sum(c => Support(c) * measure(c)) / Total;

    /// <summary>Classes that occur in truth or prediction.</summary>
    public IEnumerable<int> Present => Enumerable.Range(0, Classes).Where(c => Support(c) + Predicted(c) > 0);

    /// <summary>Classes that occur in truth.</summary>
    public IEnumerable<int> Occurring => Enumerable.Range(0, Classes).Where(c => Support(c) > 0);

    /// <summary>Matthews' correlation coefficient over classes (Gorodkin's R_K).</summary>
    public double Matthews
    {
        get
        {
            var (total, cross) = ((double)Total, Enumerable.Range(0, Classes).Sum(c => (double)Support(c) * Predicted(c)));
            var truth = total * total - Enumerable.Range(0, Classes).Sum(c => (double)Support(c) * Support(c));
            var predicted = total * total - Enumerable.Range(0, Classes).Sum(c => (double)Predicted(c) * Predicted(c));
            return truth * predicted == 0 ? 0 : (Right * total - cross) / Math.Sqrt(truth * predicted);
        }
    }

    /// <summary>Cohen's kappa: agreement beyond chance.</summary>
    public double Kappa
    {
        get
        {
            var chance = Enumerable.Range(0, Classes).Sum(c => (double)Support(c) * Predicted(c)) / ((double)Total * Total);
            return (Accuracy - chance) / (1 - chance);
        }
    }

    private long Right => Enumerable.Range(0, Classes).Sum(c => Confusion[c, c]);

    private static double Ratio(double a, double b) => b == 0 ? 0 : a / b;
}
