namespace ModelZoo.Networks.Metrics;

/// <summary>Correlation of two series.</summary>
public static class Correlation
{
    /// <summary>Linear correlation.</summary>
    public static double Pearson(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        var (mx, my) = (x.Average(), y.Average());
        var (xy, xx, yy) = (0.0, 0.0, 0.0);
        for (var i = 0; i < x.Count; i++)
        {
            xy += (x[i] - mx) * (y[i] - my);
            xx += (x[i] - mx) * (x[i] - mx);
            yy += (y[i] - my) * (y[i] - my);
        }

        return xy / Math.Sqrt(xx * yy);
    }

    /// <summary>Correlation of ranks; equal values share their mean rank.</summary>
    public static double Spearman(IReadOnlyList<double> x, IReadOnlyList<double> y) => Pearson(Ranks(x), Ranks(y));

    /// <summary>Kendall's tau-b: pairs in the same order less pairs in opposite order, ties left out of both totals.</summary>
    public static double KendallTauB(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        var (balance, untiedX, untiedY) = (0L, 0L, 0L);
        for (var i = 0; i < x.Count; i++)
        {
            for (var j = 0; j < i; j++)
            {
                var (a, b) = (x[i].CompareTo(x[j]), y[i].CompareTo(y[j]));
                balance += a * b;
                if (a != 0) untiedX++;
                if (b != 0) untiedY++;
            }
        }

        return balance / Math.Sqrt((double)untiedX * untiedY);
    }

    /// <summary>Ranks from 1, ascending; equal values share their mean rank.</summary>
    public static double[] Ranks(IReadOnlyList<double> values)
    {
        var order = Enumerable.Range(0, values.Count).OrderBy(i => values[i]).ToArray();
        var ranks = new double[values.Count];
        for (var start = 0; start < order.Length;)
        {
            var end = start;
            while (end < order.Length && values[order[end]] == values[order[start]]) end++;
            for (var i = start; i < end; i++) ranks[order[i]] = (start + 1 + end) / 2.0;
            start = end;
        }

        return ranks;
    }
}
