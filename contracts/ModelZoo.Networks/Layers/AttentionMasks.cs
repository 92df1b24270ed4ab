using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>What is added to attention scores: 0 where a query may look, <see cref="AttentionLayers.Masked"/> where it may not, and biases by distance. The last query sits at the last key.</summary>
public static class AttentionMasks
{
    /// <summary>Keys up to the query's own position: (1, 1, N, M).</summary>
    public static Value Causal(Graph graph, Dim queries, Dim keys) => Where(Distance(graph, queries, keys).GreaterOrEqual(graph.Constant([0L])));

    /// <summary>The last <paramref name="window"/> keys up to the query's own position: (1, 1, N, M).</summary>
    public static Value Sliding(Graph graph, Dim queries, Dim keys, long window)
    {
        var distance = Distance(graph, queries, keys);
        return Where(distance.GreaterOrEqual(graph.Constant([0L])).And(distance.Less(graph.Constant([window]))));
    }

    /// <summary>Keys at most <paramref name="reach"/> places to either side: (1, 1, N, M).</summary>
    public static Value Local(Graph graph, Dim queries, Dim keys, long reach)
    {
        var distance = Distance(graph, queries, keys);
        return Where(distance.GreaterOrEqual(graph.Constant([-reach])).And(distance.Less(graph.Constant([reach + 1]))));
    }

    /// <summary>Keys whose block is not after the query's, for sequences made of blocks that see themselves whole: (1, 1, N, N).</summary>
    public static Value BlockCausal(Graph graph, Dim length, long block)
    {
        var number = AttentionLayers.Range(graph, length).FloorDivide(block);
        return Where(number.Reshape(-1, 1).GreaterOrEqual(number.Reshape(1, -1)).Unsqueeze(0, 1));
    }

    /// <summary>Keys of the query's own segment, for several sequences packed into one. segments (B, N) int64 -> (B, 1, N, N).</summary>
    public static Value SameSegment(Value segments) => Where(segments.Unsqueeze(1, 3).Same(segments.Unsqueeze(1, 2)));

    /// <summary>Keys that are not padding. mask (B, M), 1 for tokens and 0 for padding -> (B, 1, 1, M).</summary>
    public static Value Padding(Value mask) => Where(mask.Cast(ElementType.Bool).Unsqueeze(1, 2));

    /// <summary>Keys that a mask allows. mask (.., N, M), 1 where a query may look -> the same shape.</summary>
    public static Value Where(Value allowed)
    {
        var g = allowed.Graph;
        return allowed.Cast(ElementType.Bool).Where(g.Scalar(ElementType.Float32, 0), g.Scalar(ElementType.Float32, AttentionLayers.Masked));
    }

    /// <summary>ALiBi (Press et al., arXiv:2108.12409): minus the distance times a slope for each head, 2^(-8 h / heads) and, when heads is no power of two, every other slope of twice as many: (1, heads, N, M).</summary>
    public static Value Alibi(Graph graph, Dim queries, Dim keys, int heads)
    {
        var slopes = AlibiSlopes(heads);
        return -Distance(graph, queries, keys).Abs().Cast(ElementType.Float32) * graph.Constant<float>(slopes, 1, heads, 1, 1);
    }

    /// <summary>The slopes of <see cref="Alibi"/>.</summary>
    public static float[] AlibiSlopes(int heads)
    {
        var power = 1 << (int)Math.Floor(Math.Log2(heads));
        static double Slope(int index, int count) => Math.Pow(2, -8.0 * (index + 1) / count);
        return [.. Enumerable.Range(0, heads).Select(head => (float)(head < power ? Slope(head, power) : Slope(2 * (head - power), 2 * power)))];
    }

    /// <summary>How far each key lies before the query, as int64: (1, 1, N, M); negative for keys after it.</summary>
    public static Value Distance(Graph graph, Dim queries, Dim keys)
    {
        var own = AttentionLayers.Range(graph, queries);
        if (keys != queries) own += graph.Extent(keys - queries);
        return (own.Reshape(-1, 1) - AttentionLayers.Range(graph, keys).Reshape(1, -1)).Unsqueeze(0, 1);
    }
}
