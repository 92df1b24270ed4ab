using ModelZoo.Contracts;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.DiffusionTransformers.Svg2;

/// <summary>Points in clusters: Lloyd's k-means from given centroids.</summary>
/// <param name="Labels">The cluster of each point.</param>
/// <param name="Centroids">(clusters, D), row after row.</param>
/// <param name="Sizes">Points of each cluster.</param>
internal sealed record Clustering(int[] Labels, float[] Centroids, int[] Sizes)
{
    private const float Tolerance = 1e-4f;

    /// <summary>Numbers of a point.</summary>
    public int Width => Centroids.Length / Sizes.Length;

    /// <summary>The points of each cluster, in their order.</summary>
    public IReadOnlyList<int[]> Members => [.. Enumerable.Range(0, Sizes.Length).Select(cluster => Enumerable.Range(0, Labels.Length).Where(point => Labels[point] == cluster).ToArray())];

    /// <summary>A centroid.</summary>
    public ReadOnlySpan<float> Centroid(int cluster) => Centroids.AsSpan(cluster * Width, Width);

    /// <summary>
    /// Clusters several sets of points side by side. points (S, N, D), centroids (S, clusters, D). All stop when the centroids of none have moved; those of the last assignment are kept then, not their means.
    /// </summary>
    public static IReadOnlyList<Clustering> Run(Tensor<float> points, Tensor<float> centroids, int steps, CancellationToken cancel)
    {
        var clusterings = Enumerable.Range(0, (int)points.Shape[0]).Select(set => new Clustering([], centroids.Slice(set).Span.ToArray(), new int[centroids.Shape[1]])).ToArray();
        for (var step = 0; step < steps; step++)
        {
            cancel.ThrowIfCancellationRequested();
            var moved = new float[clusterings.Length][];
            var furthest = 0f;
            for (var set = 0; set < clusterings.Length; set++)
            {
                clusterings[set] = clusterings[set].Assign(points.Slice(set).Span);
                moved[set] = clusterings[set].Means(points.Slice(set).Span);
                for (var cluster = 0; cluster < clusterings[set].Sizes.Length; cluster++)
                    furthest = Math.Max(furthest, TensorPrimitives.Distance(clusterings[set].Centroid(cluster), moved[set].AsSpan(cluster * clusterings[set].Width, clusterings[set].Width)));
            }

            if (furthest < Tolerance) break;
            for (var set = 0; set < clusterings.Length; set++) clusterings[set] = clusterings[set] with { Centroids = moved[set] };
        }

        return clusterings;
    }

    // The nearest centroid of each point, the first of equals.
    private Clustering Assign(ReadOnlySpan<float> points)
    {
        var (width, labels, sizes) = (Width, new int[points.Length / Width], new int[Sizes.Length]);
        var squares = new float[sizes.Length];
        for (var cluster = 0; cluster < sizes.Length; cluster++) squares[cluster] = TensorPrimitives.SumOfSquares(Centroid(cluster));
        for (var point = 0; point < labels.Length; point++)
        {
            var row = points.Slice(point * width, width);
            var best = float.PositiveInfinity;
            for (var cluster = 0; cluster < sizes.Length; cluster++)
            {
                var distance = squares[cluster] - 2 * TensorPrimitives.Dot(row, Centroid(cluster));
                if (distance < best) (best, labels[point]) = (distance, cluster);
            }

            sizes[labels[point]]++;
        }

        return this with { Labels = labels, Sizes = sizes };
    }

    // An empty cluster keeps its centroid.
    private float[] Means(ReadOnlySpan<float> points)
    {
        var (width, sums) = (Width, new float[Centroids.Length]);
        for (var point = 0; point < Labels.Length; point++)
        {
            var sum = sums.AsSpan(Labels[point] * width, width);
            TensorPrimitives.Add(sum, points.Slice(point * width, width), sum);
        }

        for (var cluster = 0; cluster < Sizes.Length; cluster++)
        {
            var mean = sums.AsSpan(cluster * width, width);
            if (Sizes[cluster] == 0) Centroid(cluster).CopyTo(mean);
            else TensorPrimitives.Divide(mean, Sizes[cluster], mean);
        }

        return sums;
    }
}
