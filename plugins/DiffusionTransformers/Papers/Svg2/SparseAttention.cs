using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.DiffusionTransformers.Svg2;

/// <summary>Options of sparse attention; defaults are those of the authors' scripts for Wan 2.1.</summary>
public sealed record SparseOptions : ModelOptions
{
    /// <summary>Clusters of queries.</summary>
    [Description("Clusters of queries in each head; at most as many as there are queries."), Range(1, 65536)]
    public int QueryClusters { get; init; } = 300;

    /// <summary>Clusters of keys.</summary>
    [Description("Clusters of keys in each head; at most as many as there are keys."), Range(1, 65536)]
    public int KeyClusters { get; init; } = 1000;

    /// <summary>Share of attention that is kept.</summary>
    [Description("Share of a query cluster's attention that the chosen key clusters hold; 1 looks at everything."), Range(0.0, 1.0)]
    public double TopP { get; init; } = 0.9;

    /// <summary>Least share of key clusters.</summary>
    [Description("Least share of key clusters that are looked at."), Range(0.0, 1.0)]
    public double LeastShare { get; init; } = 0.1;

    /// <summary>Steps of k-means.</summary>
    [Description("Most steps of clustering."), Range(1, 1000)]
    public int Steps { get; init; } = 50;
}

/// <summary>Queries, keys and values to what attention gives: tensors <c>query</c>, <c>key</c> and <c>value</c> (B, heads, N, D) to <c>attention</c> of the same shape and the <c>density</c> (B, heads), the share of pairs that was computed.</summary>
internal sealed class SparseAttention : IGenerate<NamedTensors, SparseOptions>
{
    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<NamedTensors>> GenerateAsync(Prompt prompt, SparseOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var tensors = prompt.Require<NamedTensors>().Values;
        var (query, key, value) = (Part("query"), Part("key"), Part("value"));
        if (!key.Shape.SequenceEqual(value.Shape) || !query.Shape[..2].SequenceEqual(key.Shape[..2]) || query.Shape[3] != key.Shape[3])
            throw new MediaException(ErrorCodes.MediaUnsupported, "Queries, keys and values do not fit.") { Where = "key", Expected = $"({query.Shape[0]}, {query.Shape[1]}, N, {query.Shape[3]}), as the values", Found = key.ToString() };
        yield return Generation<NamedTensors>.Final(await Task.Run(() => Attend(query, key, value, options, seed, cancel), cancel).ConfigureAwait(false), 1);

        Tensor<float> Part(string name) => tensors.GetValueOrDefault(name) is Tensor<float> { Rank: 4 } part ? part
            : throw new MediaException(ErrorCodes.MediaUnsupported, "Attention takes three tensors.") { Where = name, Expected = $"{name} (B, heads, N, D) float32", Found = string.Join(", ", tensors.Keys) };
    }

    private static NamedTensors Attend(Tensor<float> query, Tensor<float> key, Tensor<float> value, SparseOptions options, ulong seed, CancellationToken cancel)
    {
        var heads = SemanticHeads.Cluster(query, key, Begin(query, options.QueryClusters, seed, draw: 0), Begin(key, options.KeyClusters, seed, draw: 1), options.Steps, cancel);
        var (attention, sparse) = heads.Attend(query, key, value, options.TopP, options.LeastShare, cancel);
        return new(new Dictionary<string, Tensor> { ["attention"] = attention, ["density"] = Tensor.Create<float>([.. sparse.Select(head => (float)head.Density)], query.Shape[0], query.Shape[1]) });
    }

    // First centroids are tokens of the head, drawn with repetition, as published.
    private static Tensor<float> Begin(Tensor<float> x, int clusters, ulong seed, int draw)
    {
        var (sets, tokens, width) = ((int)(x.Shape[0] * x.Shape[1]), (int)x.Shape[2], (int)x.Shape[3]);
        var centroids = Tensor.Zeros<float>(sets, Math.Min(clusters, tokens), width);
        for (var set = 0; set < sets; set++)
        {
            var random = Philox.Of(seed, set, draw);
            for (var cluster = 0; cluster < centroids.Shape[1]; cluster++)
            {
                var token = (int)(random.Uniform((ulong)cluster) * tokens);
                x.Span.Slice((set * tokens + token) * width, width).CopyTo(centroids.Span[((set * (int)centroids.Shape[1] + cluster) * width)..]);
            }
        }

        return centroids;
    }
}
