// Sparse VideoGen2: Accelerate Video Generation with Sparse Attention via Semantic-Aware Permutation. Yang, Xi, Zhao, Li et al. arXiv:2505.18875. github.com/svg-project/Sparse-VideoGen
// The method has no weights: it takes the place of attention in a video model. Deviations: calls are given their first centroids.
using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.Svg2;

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
            Deviations = "It generates what attention gives for a video model's queries, keys and values, not videos: those are the video model's.",
        },
        (_, _) => ValueTask.FromResult<IModel>(new PublishedModel([], [], CallAsync, new SparseAttention())));

    private static Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) =>
        call == "attention" ? Task.Run(() => Attend(arguments, cancel), cancel) : throw Calls.Unknown(call, "attention");

    private static CallResults Attend(CallArguments arguments, CancellationToken cancel)
    {
        var (query, key, value) = (arguments.Tensor<float>("query"), arguments.Tensor<float>("key"), arguments.Tensor<float>("value"));
        var (steps, topP, least) = (arguments.Literal("max_iters", 100), arguments.Literal<double>("top_p"), arguments.Literal("min_kc_ratio", 0.0));
        var heads = SemanticHeads.Cluster(query, key, arguments.Tensor<float>("init_q_centroids"), arguments.Tensor<float>("init_k_centroids"), steps, cancel);
        var (attention, sparse) = heads.Attend(query, key, value, topP, least, cancel);
        var (batch, count, rows, columns) = (query.Shape[0], query.Shape[1], heads.Queries[0].Sizes.Length, heads.Keys[0].Sizes.Length);
        var places = Enumerable.Range(0, rows * columns);
        var map = Tensor.Create<long>([.. sparse.SelectMany(head => places.Select(i => head.Sees(i / columns, i % columns) ? 1L : 0))], batch, count, rows, columns);
        var probabilities = Tensor.Create<float>([.. sparse.SelectMany(head => places.Select(i => head.Probabilities[i / columns, i % columns]))], batch, count, rows, columns);
        var density = Tensor.Create<float>([.. sparse.Select(head => (float)head.Density)], batch, count);
        var order = Tensor.Create<long>([.. heads.Queries.SelectMany(clustering => clustering.Members.SelectMany(member => member).Select(token => (long)token))], batch, count, query.Shape[2]);
        var results = new CallResults();
        // Cases name the results of a run that continues another's centroids by themselves.
        foreach (var suffix in (string[])["", "_warm"])
        {
            Add(results, heads.Queries, "q", suffix, (int)query.Shape[3]);
            Add(results, heads.Keys, "k", suffix, (int)query.Shape[3]);
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
