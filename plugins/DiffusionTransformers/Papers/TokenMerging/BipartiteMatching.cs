using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.TokenMerging;

/// <summary>Tokens brought together and taken apart again.</summary>
/// <param name="Merge">(B, N, C) -> (B, N - r, C).</param>
/// <param name="Unmerge">(B, N - r, C) -> (B, N, C).</param>
internal sealed record Merging(Func<Value, Value> Merge, Func<Value, Value> Unmerge)
{
    /// <summary>Every token stays.</summary>
    public static Merging None { get; } = new(x => x, x => x);
}

/// <summary>Which tokens of a picture are merged: each cell of the grid has one destination, and the r tokens that are most like a destination go into it (ToMe for Stable Diffusion, section 4).</summary>
internal static class BipartiteMatching
{
    /// <summary>Number of destinations on a grid.</summary>
    public static int Destinations(int rows, int columns, int stepDown, int stepAcross) => rows / stepDown * (columns / stepAcross);

    /// <summary>All tokens of a grid, the destinations first, both in raster order. choice (cells down, cells across) is the destination's place within its cell; without it the first.</summary>
    public static long[] Order(int rows, int columns, int stepDown, int stepAcross, Tensor<long>? choice)
    {
        var isDestination = new bool[rows * columns];
        for (var i = 0; i < rows / stepDown; i++)
        {
            for (var j = 0; j < columns / stepAcross; j++)
            {
                var place = (int)(choice?[i, j] ?? 0);
                isDestination[(i * stepDown + place / stepAcross) * columns + j * stepAcross + place % stepAcross] = true;
            }
        }

        var tokens = Enumerable.Range(0, rows * columns).ToList();
        return [.. tokens.Where(token => isDestination[token]).Concat(tokens.Where(token => !isDestination[token])).Select(token => (long)token)];
    }

    /// <summary>Matches tokens by the cosine similarity of a metric. metric (B, N, C), order (N) int64 with the destinations first.</summary>
    public static Merging Match(Value metric, Value order, long destinations, long r)
    {
        var tokens = metric.Shape[1].Size;
        var sources = tokens - destinations;
        r = Math.Min(sources, r);
        if (r <= 0) return Merging.None;
        var similar = metric / metric.Reduce("ReduceL2", [-1], keep: true);
        var (to, from) = Parts(similar);
        var (best, nearest) = from.MatMul(to.Swap(1, 2)).TopK(1);                              // (B, S, 1)
        var (_, bySimilarity) = best.TopK(sources, axis: 1);
        var (merged, kept) = (bySimilarity.Take(1, r), bySimilarity.From(1, r));               // (B, r, 1), (B, S - r, 1)
        var into = nearest.GatherElements(merged, 1);
        return new(Merge, Unmerge);

        (Value Destinations, Value Sources) Parts(Value x)
        {
            var sorted = x.Gather(order, 1);
            return (sorted.Take(1, destinations), sorted.From(1, destinations));
        }

        // The mean of a destination and what goes into it.
        Value Merge(Value x)
        {
            var (target, source) = Parts(x);
            var one = x.Graph.Scalar(ElementType.Float32, 1);
            var sum = target.ScatterElements(Wide(into, x), source.GatherElements(Wide(merged, x), 1), 1, add: true);
            var count = one.Expand(x.Shape[0], destinations, 1).ScatterElements(into, one.Expand(x.Shape[0], r, 1), 1, add: true);
            return ValueShape.Concat(1, source.GatherElements(Wide(kept, x), 1), sum / count);
        }

        // What was merged takes its destination's value.
        Value Unmerge(Value x)
        {
            var (alone, target) = (x.Take(1, sources - r), x.From(1, sources - r));
            var source = x.Graph.Scalar(ElementType.Float32, 0).Expand(x.Shape[0], sources, x.Shape[2])
                .ScatterElements(Wide(kept, x), alone, 1).ScatterElements(Wide(merged, x), target.GatherElements(Wide(into, x), 1), 1);
            return ValueShape.Concat(1, target, source).ScatterElements(Wide(order.Reshape(1, tokens, 1), x), ValueShape.Concat(1, target, source), 1);
        }

        static Value Wide(Value rows, Value x) => rows.Expand(x.Shape[0], rows.Shape[1], x.Shape[2]);
    }
}
