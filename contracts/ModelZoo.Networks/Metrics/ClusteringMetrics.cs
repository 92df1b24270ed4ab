using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Metrics;

/// <summary>Agreement of two partitions, with scikit-learn's conventions; natural logarithms.</summary>
/// <param name="Contingency">(true class, cluster): samples in both.</param>
public sealed record ClusteringMetrics(long[,] Contingency)
{
    /// <summary>Counts samples by class and cluster; both in ascending order of their labels.</summary>
    public static ClusteringMetrics Count(ReadOnlySpan<long> truth, ReadOnlySpan<long> clusters)
    {
        long[] rows = [.. truth.ToArray().Distinct().Order()], columns = [.. clusters.ToArray().Distinct().Order()];
        var table = new long[rows.Length, columns.Length];
        for (var i = 0; i < truth.Length; i++) table[Array.BinarySearch(rows, truth[i]), Array.BinarySearch(columns, clusters[i])]++;
        return new(table);
    }

    private const double Tiny = 2.220446049250313e-16;

    // One class and one cluster.
    private bool IsWhole => Contingency.Length <= 1;

    private long[] Rows => [.. Enumerable.Range(0, Contingency.GetLength(0)).Select(i => Enumerable.Range(0, Contingency.GetLength(1)).Sum(j => Contingency[i, j]))];

    private long[] Columns => [.. Enumerable.Range(0, Contingency.GetLength(1)).Select(j => Enumerable.Range(0, Contingency.GetLength(0)).Sum(i => Contingency[i, j]))];

    private long Total => Contingency.Cast<long>().Sum();

    /// <summary>Mutual information.</summary>
    public double MutualInformation
    {
        get
        {
            var (rows, columns, n, sum) = (Rows, Columns, (double)Total, 0.0);
            for (var i = 0; i < rows.Length; i++)
            {
                for (var j = 0; j < columns.Length; j++)
                {
                    if (Contingency[i, j] > 0) sum += Contingency[i, j] / n * Math.Log(n * Contingency[i, j] / ((double)rows[i] * columns[j]));
                }
            }

            return sum;
        }
    }

    /// <summary>Entropy of the classes and of the clusters.</summary>
    public (double Classes, double Clusters) Entropies => (Entropy(Rows), Entropy(Columns));

    /// <summary>Mutual information over a mean of both entropies.</summary>
    /// <param name="mean">Arithmetic, geometric, smaller or larger of the two.</param>
    public double NormalizedMutualInformation(Func<double, double, double> mean)
    {
        return IsWhole ? 1 : MutualInformation <= Tiny ? 0 : MutualInformation / mean(Entropies.Classes, Entropies.Clusters);
    }

    /// <summary>Mutual information beyond that of random partitions (Vinh, Epps, Bailey 2010).</summary>
    public double AdjustedMutualInformation
    {
        get
        {
            if (IsWhole) return 1;
            var (expected, mean) = (ExpectedMutualInformation(), (Entropies.Classes + Entropies.Clusters) / 2);
            var denominator = mean - expected;
            return (MutualInformation - expected) / (Math.Abs(denominator) < Tiny ? Tiny : denominator);
        }
    }

    /// <summary>Share of pairs on which the partitions agree.</summary>
    public double RandIndex
    {
        get
        {
            var (both, rows, columns, all) = Pairs();
            return (all + 2 * both - rows - columns) / all;
        }
    }

    /// <summary>The Rand index beyond chance.</summary>
    public double AdjustedRandIndex
    {
        get
        {
            var (both, rows, columns, all) = Pairs();
            var expected = rows * columns / all;
            return both == rows && both == columns ? 1 : (both - expected) / ((rows + columns) / 2 - expected);
        }
    }

    /// <summary>Geometric mean of pairwise precision and recall.</summary>
    public double FowlkesMallows
    {
        get
        {
            var (both, rows, columns, _) = Pairs();
            return both == 0 ? 0 : both / Math.Sqrt(rows * columns);
        }
    }

    /// <summary>1 when each cluster holds one class only.</summary>
    public double Homogeneity => Entropies.Classes == 0 ? 1 : MutualInformation / Entropies.Classes;

    /// <summary>1 when each class lies in one cluster only.</summary>
    public double Completeness => Entropies.Clusters == 0 ? 1 : MutualInformation / Entropies.Clusters;

    /// <summary>Harmonic mean of homogeneity and completeness.</summary>
    public double VMeasure => Homogeneity + Completeness is var sum and > 0 ? 2 * Homogeneity * Completeness / sum : 0;

    /// <summary>Share of samples that belong to the most frequent class of their cluster.</summary>
    public double Purity => Enumerable.Range(0, Contingency.GetLength(1)).Sum(j => Enumerable.Range(0, Contingency.GetLength(0)).Max(i => Contingency[i, j])) / (double)Total;

    private static double Entropy(long[] counts)
    {
        double total = counts.Sum();
        return -counts.Where(c => c > 0).Sum(c => c / total * Math.Log(c / total));
    }

    private (double Both, double Rows, double Columns, double All) Pairs()
    {
        return (Contingency.Cast<long>().Sum(Choose2), Rows.Sum(Choose2), Columns.Sum(Choose2), Choose2(Total));

        static double Choose2(long n) => n * (n - 1.0) / 2;
    }

    private double ExpectedMutualInformation()
    {
        var (rows, columns, n, sum) = (Rows, Columns, Total, 0.0);
        foreach (var a in rows)
        {
            foreach (var b in columns)
            {
                for (var k = Math.Max(1, a + b - n); k <= Math.Min(a, b); k++)
                {
                    var log = Factorial(a) + Factorial(b) + Factorial(n - a) + Factorial(n - b)
                        - Factorial(n) - Factorial(k) - Factorial(a - k) - Factorial(b - k) - Factorial(n - a - b + k);
                    sum += (double)k / n * Math.Log((double)n * k / ((double)a * b)) * Math.Exp(log);
                }
            }
        }

        return sum;

        static double Factorial(long m) => SpecialFunctions.LogGamma(m + 1);
    }
}
