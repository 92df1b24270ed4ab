using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Svg2;

/// <summary>Attention that looks only at the clusters of keys that matter to a cluster of queries (section 4).</summary>
internal sealed class SemanticAttention
{
    private readonly Clustering _queries, _keys;
    private readonly bool[,] _seen;

    /// <summary>Chooses for each cluster of queries the clusters of keys that hold the share <paramref name="topP"/> of its attention, the one that crosses it included, and at least a share of all clusters.</summary>
    public SemanticAttention(Clustering queries, Clustering keys, double topP, double leastShare)
    {
        (_queries, _keys) = (queries, keys);
        var (rows, columns) = (queries.Sizes.Length, keys.Sizes.Length);
        (Probabilities, _seen) = (new float[rows, columns], new bool[rows, columns]);
        var scale = 1 / MathF.Sqrt(queries.Width);
        for (var q = 0; q < rows; q++)
        {
            var weights = new float[columns];
            for (var k = 0; k < columns; k++) weights[k] = System.Numerics.Tensors.TensorPrimitives.Dot(queries.Centroid(q), keys.Centroid(k)) * scale;
            var largest = weights.Max();
            for (var k = 0; k < columns; k++) weights[k] = keys.Sizes[k] * MathF.Exp(weights[k] - largest);
            var sum = Math.Max(weights.Sum(), 1e-12f);
            for (var k = 0; k < columns; k++) Probabilities[q, k] = weights[k] / sum;
            var (before, least) = (0f, (int)(leastShare * columns));
            foreach (var (k, rank) in Enumerable.Range(0, columns).OrderByDescending(k => weights[k]).Select((k, rank) => (k, rank)))
            {
                _seen[q, k] = rank == 0 || before <= topP || rank < least;
                before += Probabilities[q, k];
            }
        }
    }

    /// <summary>How much of a query cluster's attention each key cluster would have: softmax of the centroids' scores, weighted by the number of keys.</summary>
    public float[,] Probabilities { get; }

    /// <summary>Whether queries of a cluster look at keys of another.</summary>
    public bool Sees(int queryCluster, int keyCluster) => _seen[queryCluster, keyCluster];

    /// <summary>Pairs of queries and keys that are computed, as a share of all.</summary>
    public double Density
    {
        get
        {
            var (computed, all) = (0.0, 0.0);
            for (var q = 0; q < _queries.Sizes.Length; q++)
            {
                for (var k = 0; k < _keys.Sizes.Length; k++)
                {
                    all += (double)_queries.Sizes[q] * _keys.Sizes[k];
                    if (_seen[q, k]) computed += (double)_queries.Sizes[q] * _keys.Sizes[k];
                }
            }

            return computed / all;
        }
    }

    /// <summary>Attention of one head. Rows (N, D), cluster after cluster as permuted.</summary>
    public void Run(ReadOnlySpan<float> queries, ReadOnlySpan<float> keys, ReadOnlySpan<float> values, Span<float> output)
    {
        var (width, scale) = (_queries.Width, 1 / MathF.Sqrt(_queries.Width));
        var keysOf = _keys.Members;
        for (var cluster = 0; cluster < _queries.Sizes.Length; cluster++)
        {
            int[] seen = [.. Enumerable.Range(0, _keys.Sizes.Length).Where(k => _seen[cluster, k]).SelectMany(k => keysOf[k])];
            if (seen.Length == 0) continue;
            var scores = new float[seen.Length];
            foreach (var query in _queries.Members[cluster])
            {
                for (var i = 0; i < seen.Length; i++) scores[i] = System.Numerics.Tensors.TensorPrimitives.Dot(queries.Slice(query * width, width), keys.Slice(seen[i] * width, width)) * scale;
                System.Numerics.Tensors.TensorPrimitives.SoftMax(scores, scores);
                var row = output.Slice(query * width, width);
                for (var i = 0; i < seen.Length; i++) System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(values.Slice(seen[i] * width, width), scores[i], row, row);
            }
        }
    }
}

/// <summary>The clusters of all heads of a batch.</summary>
/// <param name="Queries">Of the queries, batch by batch and head by head.</param>
/// <param name="Keys">Of the keys.</param>
internal sealed record SemanticHeads(IReadOnlyList<Clustering> Queries, IReadOnlyList<Clustering> Keys)
{
    /// <summary>Clusters from first centroids (B heads, clusters, D). queries, keys (B, heads, N, D).</summary>
    public static SemanticHeads Cluster(Tensor<float> queries, Tensor<float> keys, Tensor<float> queryCentroids, Tensor<float> keyCentroids, int steps, CancellationToken cancel)
    {
        Tensor<float> Sets(Tensor<float> x) => x.Reshape(x.Shape[0] * x.Shape[1], x.Shape[2], x.Shape[3]);
        return new(Clustering.Run(Sets(queries), queryCentroids, steps, cancel), Clustering.Run(Sets(keys), keyCentroids, steps, cancel));
    }

    /// <summary>The attention (B, heads, N, D), and what each head looked at.</summary>
    public (Tensor<float> Attention, IReadOnlyList<SemanticAttention> Heads) Attend(Tensor<float> queries, Tensor<float> keys, Tensor<float> values, double topP, double leastShare, CancellationToken cancel)
    {
        var (attention, heads) = (Tensor.Zeros<float>(queries.Shape), new List<SemanticAttention>());
        for (var head = 0; head < Queries.Count; head++)
        {
            cancel.ThrowIfCancellationRequested();
            var sparse = new SemanticAttention(Queries[head], Keys[head], topP, leastShare);
            Span<float> Row(Tensor<float> x) => x.Span.Slice(head * (x.Length / Queries.Count), x.Length / Queries.Count);
            sparse.Run(Row(queries), Row(keys), Row(values), Row(attention));
            heads.Add(sparse);
        }

        return (attention, heads);
    }
}
