using ModelZoo.Contracts;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.DiffusionTransformers.CatPruning;

/// <summary>Which tokens of a picture are worth computing: clusters by where tokens are and what noise they have, ranked with their neighbours (section 3.2).</summary>
internal sealed class ClusterSelection
{
    // How much the noise counts beside the place.
    private const float NoiseShare = 0.05f;
    private readonly long[] _labels;
    private readonly int _rows, _columns;

    /// <summary>Prepares the selection on a grid.</summary>
    /// <param name="noise">Noise of each token (N, D).</param>
    /// <param name="rows">Rows of the grid.</param>
    /// <param name="columns">Columns of the grid.</param>
    /// <param name="labels">The cluster of each token.</param>
    public ClusterSelection(Tensor<float> noise, int rows, int columns, long[] labels)
    {
        (_rows, _columns, _labels) = (rows, columns, labels);
        Features = FeaturesOf(noise, rows, columns);
    }

    /// <summary>What tokens (N, D) of a grid are clustered by.</summary>
    public static Tensor<float> FeaturesOf(Tensor<float> noise, int rows, int columns)
    {
        var (width, features) = ((int)noise.Shape[1], Tensor.Zeros<float>(noise.Shape));
        for (var i = 0; i < noise.Length; i++)
        {
            var token = i / width;
            features.Span[i] = noise.Span[i] * NoiseShare + (i % width < width / 2 ? token / columns / (float)rows : token % columns / (float)columns);
        }

        return features;
    }

    /// <summary>The cluster of each token.</summary>
    public IReadOnlyList<long> Labels => _labels;

    /// <summary>What tokens are clustered by: their noise and, in each half of the channels, their row or column.</summary>
    public Tensor<float> Features { get; }

    /// <summary>The first selection: clusters in order of score each give their tokens of largest change, a tenth of the share at most, up to the share; in order of tokens.</summary>
    public long[] First(Tensor<float> change, double share)
    {
        var most = (int)(share * _labels.Length);
        var norms = Norms(change);
        var chosen = new List<long>();
        foreach (var (cluster, _) in Scores(change).OrderByDescending(pair => pair.Value))
        {
            chosen.AddRange(Enumerable.Range(0, _labels.Length).Where(token => _labels[token] == cluster).OrderByDescending(token => norms[token]).Take(most / 10).Select(token => (long)token));
            if (chosen.Count > most) break;
        }

        return [.. chosen.Take(most).Order()];
    }

    /// <summary>The length of each token's change.</summary>
    public static float[] Norms(Tensor<float> change) => [.. Enumerable.Range(0, (int)change.Shape[0]).Select(token => TensorPrimitives.Norm(change.Slice(token).Span))];

    /// <summary>The largest of what the tokens of each cluster have, channel by channel.</summary>
    public Dictionary<long, float[]> Pooled(Tensor<float> change) => _labels.Distinct().Order().ToDictionary(label => label, label =>
    {
        var largest = Enumerable.Repeat(float.NegativeInfinity, (int)change.Shape[1]).ToArray();
        for (var token = 0; token < _labels.Length; token++)
        {
            if (_labels[token] == label) TensorPrimitives.Max(largest, change.Slice(token).Span, largest);
        }

        return largest;
    });

    // The length of twice the mean plus the largest of what a cluster and those that it touches have, where a cluster has the largest values of its tokens.
    private Dictionary<long, double> Scores(Tensor<float> change)
    {
        var (width, pooled) = ((int)change.Shape[1], Pooled(change));
        var touching = pooled.Keys.ToDictionary(label => label, label => new HashSet<long> { label });
        for (var token = 0; token < _labels.Length; token++)
        {
            if (token % _columns + 1 < _columns) Touch(token, token + 1);
            if (token / _columns + 1 < _rows) Touch(token, token + _columns);
        }

        return pooled.Keys.ToDictionary(label => label, label => Math.Sqrt(Enumerable.Range(0, width).Sum(d =>
        {
            var values = touching[label].Select(near => (double)pooled[near][d]).ToList();
            return Math.Pow(2 * values.Average() + values.Max(), 2);
        })));

        void Touch(int a, int b)
        {
            touching[_labels[a]].Add(_labels[b]);
            touching[_labels[b]].Add(_labels[a]);
        }
    }
}
