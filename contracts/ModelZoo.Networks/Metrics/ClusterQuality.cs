using ModelZoo.Contracts;

namespace ModelZoo.Networks.Metrics;

/// <summary>How compact and apart clusters of points are; Euclidean distances.</summary>
public sealed class ClusterQuality
{
    private readonly double[][] _points;
    private readonly int[] _cluster;
    private readonly int[] _sizes;
    private readonly double[][] _centres;

    /// <summary>Of points (n, d) with a cluster each.</summary>
    public ClusterQuality(Tensor<float> points, ReadOnlySpan<long> clusters)
    {
        _points = [.. Enumerable.Range(0, (int)points.Shape[0]).Select(i => Array.ConvertAll(points.Slice(i).Span.ToArray(), x => (double)x))];
        long[] names = [.. clusters.ToArray().Distinct().Order()];
        _cluster = Array.ConvertAll(clusters.ToArray(), c => Array.BinarySearch(names, c));
        _sizes = [.. Enumerable.Range(0, names.Length).Select(c => _cluster.Count(k => k == c))];
        _centres = [.. Enumerable.Range(0, names.Length).Select(c => Mean(_points.Where((_, i) => _cluster[i] == c)))];
    }

    /// <summary>Mean of (b - a) / max(a, b): a the mean distance within the own cluster, b that to the nearest other one; 0 where both are.</summary>
    public double Silhouette
    {
        get
        {
            var total = 0.0;
            for (var i = 0; i < _points.Length; i++)
            {
                var sums = new double[_sizes.Length];
                for (var j = 0; j < _points.Length; j++) sums[_cluster[j]] += Distance(_points[i], _points[j]);
                var own = _cluster[i];
                if (_sizes[own] == 1) continue;
                var within = sums[own] / (_sizes[own] - 1);
                var nearest = Enumerable.Range(0, _sizes.Length).Where(c => c != own).Min(c => sums[c] / _sizes[c]);
                if (Math.Max(within, nearest) is var larger and > 0) total += (nearest - within) / larger;
            }

            return total / _points.Length;
        }
    }

    /// <summary>Mean over clusters of the worst (spread + spread) / distance of centres; centres that coincide are passed over.</summary>
    public double DaviesBouldin
    {
        get
        {
            var spread = Enumerable.Range(0, _sizes.Length).Select(c => _points.Where((_, i) => _cluster[i] == c).Average(p => Distance(p, _centres[c]))).ToArray();
            return Enumerable.Range(0, _sizes.Length).Average(a =>
                Enumerable.Range(0, _sizes.Length).Where(b => b != a).Max(b => Distance(_centres[a], _centres[b]) is var apart and > 0 ? (spread[a] + spread[b]) / apart : 0));
        }
    }

    /// <summary>Variance between clusters over variance within, each over its degrees of freedom.</summary>
    public double CalinskiHarabasz
    {
        get
        {
            var mean = Mean(_points);
            var between = Enumerable.Range(0, _sizes.Length).Sum(c => _sizes[c] * Math.Pow(Distance(_centres[c], mean), 2));
            var within = Enumerable.Range(0, _points.Length).Sum(i => Math.Pow(Distance(_points[i], _centres[_cluster[i]]), 2));
            return within == 0 ? 1 : between * (_points.Length - _sizes.Length) / (within * (_sizes.Length - 1));
        }
    }

    private static double[] Mean(IEnumerable<double[]> points)
    {
        var list = points.ToList();
        return [.. Enumerable.Range(0, list[0].Length).Select(k => list.Average(p => p[k]))];
    }

    private static double Distance(double[] a, double[] b)
    {
        var sum = 0.0;
        for (var k = 0; k < a.Length; k++) sum += (a[k] - b[k]) * (a[k] - b[k]);
        return Math.Sqrt(sum);
    }
}
