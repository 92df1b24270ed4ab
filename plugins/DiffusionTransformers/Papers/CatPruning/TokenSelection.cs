using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Plugins.DiffusionTransformers.Svg2;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.DiffusionTransformers.CatPruning;

/// <summary>The selections of one picture, step after step: first by change, then a quarter by change and three by how long ago tokens were computed (sections 3.2 and 3.3).</summary>
/// <param name="clusters">The clusters.</param>
/// <param name="share">Share of the tokens that a step computes.</param>
internal sealed class TokenSelection(ClusterSelection clusters, double share)
{
    private const double ByChange = 0.25, Forgetting = 0.5;
    private const int Iterations = 100;

    private readonly int _most = (int)(share * clusters.Labels.Count);
    private readonly Dictionary<long, int> _chosenOf = clusters.Labels.Distinct().ToDictionary(label => label, _ => 0);
    private readonly float[] _counts = new float[clusters.Labels.Count];
    private long[] _selected = [];

    /// <summary>The cluster of each token, by k-means from k-means++ centroids. features (N, D).</summary>
    public static long[] Cluster(Tensor<float> features, int clusters, CancellationToken cancel)
    {
        var (count, width) = ((int)features.Shape[0], (int)features.Shape[1]);
        var (random, nearest, centroids) = (new Philox(0), Enumerable.Repeat(float.PositiveInfinity, count).ToArray(), Tensor.Zeros<float>(1, Math.Min(clusters, count), width));
        for (var cluster = 0; cluster < centroids.Shape[1]; cluster++)
        {
            double[] chances = cluster == 0 ? [.. Enumerable.Repeat(1.0, count)] : [.. nearest.Select(distance => (double)distance)];
            var token = Categorical.Draw(chances, random.Uniform((ulong)cluster));
            features.Slice(token).Span.CopyTo(centroids.Slice(0).Slice(cluster).Span);
            for (var i = 0; i < count; i++)
            {
                var distance = TensorPrimitives.Distance<float>(features.Slice(i).Span, features.Slice(token).Span);
                nearest[i] = Math.Min(nearest[i], distance * distance);
            }
        }

        return [.. Clustering.Run(features.Reshape(1, count, width), centroids, Iterations, cancel)[0].Labels.Select(label => (long)label)];
    }

    /// <summary>What the next step computes, in order of tokens. change (N, D) is that of the noise since it was first watched.</summary>
    public long[] Next(Tensor<float> change)
    {
        if (_selected.Length == 0)
        {
            _selected = clusters.First(change, share);
        }
        else
        {
            Remember();
            long[] changed = [.. ByClusters(change).Take((int)(_most * ByChange))];
            _selected = [.. changed.Concat(Oldest(Enumerable.Range(0, _counts.Length), (int)(_most * (1 - ByChange))).Select(token => (long)token)).Distinct().Order()];
        }

        foreach (var label in _selected.Select(token => clusters.Labels[(int)token]).Distinct()) _chosenOf[label]++;
        return _selected;
    }

    // How lately tokens were computed; begun anew until some cluster has been chosen from twice.
    private void Remember()
    {
        var begins = _chosenOf.Values.Max() < 2;
        for (var token = 0; token < _counts.Length; token++) _counts[token] *= begins ? 0 : (float)Forgetting;
        foreach (var token in _selected) _counts[token]++;
    }

    // Clusters in order of their largest change give some of their tokens, the first ones most, and from the second on also tokens that have waited long.
    private List<long> ByClusters(Tensor<float> change)
    {
        var (norms, chosen, rank) = (ClusterSelection.Norms(change), new List<long>(), 0);
        foreach (var (label, _) in clusters.Pooled(change).OrderByDescending(pooled => TensorPrimitives.Norm<float>(pooled.Value)))
        {
            int[] members = [.. Enumerable.Range(0, norms.Length).Where(token => clusters.Labels[token] == label)];
            var count = Math.Min((int)(_most / 5 * ByChange), members.Length);
            if (rank < 3) count = Math.Min(count * (3 - rank), members.Length);
            var most = members.OrderByDescending(token => norms[token]).Take(count);
            chosen.AddRange((rank++ == 0 ? most : most.Concat(Oldest(members, (int)(count * 0.5))).Distinct().Order()).Select(token => (long)token));
            if (chosen.Count > _most * ByChange) break;
        }

        return chosen;
    }

    private IEnumerable<int> Oldest(IEnumerable<int> tokens, int count) => tokens.OrderBy(token => _counts[token]).Take(count);
}
