// Sparse VideoGen2: Accelerate Video Generation with Sparse Attention via Semantic-Aware Permutation. Yang, Xi, Zhao, Li et al. arXiv:2505.18875. github.com/svg-project/Sparse-VideoGen
// The method has no weights: it takes the place of attention in a video model. Deviations: first centroids are given, not drawn.
using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

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

/// <summary>Sparse VideoGen2's attention.</summary>
public static class Svg2Model
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/svg2",
            Paper = "Sparse VideoGen2: Accelerate Video Generation with Sparse Attention via Semantic-Aware Permutation",
            ArXiv = "2505.18875",
            Authors = ["Shuo Yang", "Haocheng Xi", "Yilong Zhao", "Muyang Li", "Jintao Zhang", "Han Cai", "Yujun Lin", "Xiuyu Li", "Chenfeng Xu", "Kelly Peng", "Jianfei Chen", "Song Han", "Kurt Keutzer", "Ion Stoica"],
            Repository = "svg-project/Sparse-VideoGen",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Tensors],
            Outputs = [Modality.Tensors],
            Layouts = ["no weights"],
        },
        (_, _) => ValueTask.FromResult<IModel>(new PublishedModel([], [], CallAsync)));

    private static Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) =>
        call == "attention" ? Task.Run(() => Attend(arguments, cancel), cancel) : throw Calls.Unknown(call, "attention");

    private static CallResults Attend(CallArguments arguments, CancellationToken cancel)
    {
        var (query, key, value) = (arguments.Tensor<float>("query"), arguments.Tensor<float>("key"), arguments.Tensor<float>("value"));
        var (steps, topP, least) = (arguments.Literal("max_iters", 100), arguments.Literal<double>("top_p"), arguments.Literal("min_kc_ratio", 0.0));
        var (batch, heads, tokens, width) = ((int)query.Shape[0], (int)query.Shape[1], (int)query.Shape[2], (int)query.Shape[3]);
        var queries = Clustering.Run(query.Reshape(batch * heads, tokens, width), arguments.Tensor<float>("init_q_centroids"), steps, cancel);
        var keys = Clustering.Run(key.Reshape(batch * heads, key.Shape[2], width), arguments.Tensor<float>("init_k_centroids"), steps, cancel);
        var (rows, columns) = (queries[0].Sizes.Length, keys[0].Sizes.Length);
        var (map, probabilities, density, order) = (Tensor.Zeros<long>(batch, heads, rows, columns), Tensor.Zeros<float>(batch, heads, rows, columns), Tensor.Zeros<float>(batch, heads), Tensor.Zeros<long>(batch, heads, tokens));
        var attention = Tensor.Zeros<float>(query.Shape);
        for (var head = 0; head < batch * heads; head++)
        {
            cancel.ThrowIfCancellationRequested();
            var sparse = new SemanticAttention(queries[head], keys[head], topP, least);
            for (var i = 0; i < rows * columns; i++)
            {
                map.Span[head * rows * columns + i] = sparse.Sees(i / columns, i % columns) ? 1 : 0;
                probabilities.Span[head * rows * columns + i] = sparse.Probabilities[i / columns, i % columns];
            }

            density.Span[head] = (float)sparse.Density;
            queries[head].Members.SelectMany(member => member).Select(token => (long)token).ToArray().CopyTo(order.Span[(head * tokens)..]);
            Span<float> Row(Tensor<float> x) => x.Span.Slice(head * (x.Length / (batch * heads)), x.Length / (batch * heads));
            sparse.Run(Row(query), Row(key), Row(value), Row(attention));
        }

        var results = new CallResults();
        // Cases name the results of a run that continues another's centroids by themselves.
        foreach (var suffix in (string[])["", "_warm"])
        {
            Add(results, queries, "q", suffix, width);
            Add(results, keys, "k", suffix, width);
            results.Add($"weighted_probs{suffix}", probabilities).Add($"dynamic_map{suffix}", map).Add($"density{suffix}", density).Add($"q_sorted_indices{suffix}", order).Add($"attention{suffix}", attention);
        }

        return results;
    }

    private static void Add(CallResults results, IReadOnlyList<Clustering> clusterings, string name, string suffix, int width)
    {
        var (count, clusters) = (clusterings.Count, clusterings[0].Sizes.Length);
        results.Add($"{name}_labels{suffix}", Tensor.Create<long>([.. clusterings.SelectMany(clustering => clustering.Labels.Select(label => (long)label))], count, clusterings[0].Labels.Length))
            .Add($"{name}_centroids{suffix}", Tensor.Create<float>([.. clusterings.SelectMany(clustering => clustering.Centroids)], count, clusters, width))
            .Add($"{name}_cluster_sizes{suffix}", Tensor.Create<long>([.. clusterings.SelectMany(clustering => clustering.Sizes.Select(size => (long)size))], count, clusters));
    }
}
