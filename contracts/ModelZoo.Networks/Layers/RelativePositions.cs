namespace ModelZoo.Networks;

/// <summary>Learned biases on attention scores by relative position.</summary>
public static class RelativePositions
{
    /// <summary>
    /// T5's bias (Raffel et al., arXiv:1910.10683, 2.1): a learned number for each head and bucket of distances, exact when near, logarithmic up to <paramref name="maxDistance"/>. <c>weight</c> (buckets, heads) -> (1, heads, N, M).
    /// </summary>
    public static Value T5Bias(this Scope scope, Dim queries, Dim keys, long heads, int buckets = 32, int maxDistance = 128, bool bidirectional = true) =>
        scope.T5Bias((-AttentionMasks.Distance(scope.Graph, queries, keys)).Reshape(queries, keys), heads, buckets, maxDistance, bidirectional);

    /// <summary>T5's bias for given relative positions, key minus query, (N, M) or (B, N, M) int64 -> (1 or B, heads, N, M).</summary>
    public static Value T5Bias(this Scope scope, Value relative, long heads, int buckets = 32, int maxDistance = 128, bool bidirectional = true)
    {
        // Beyond the largest distance nothing changes, so a table over distances holds every case.
        var table = Enumerable.Range(-maxDistance, 2 * maxDistance + 1).Select(distance => T5Bucket(distance, buckets, maxDistance, bidirectional)).ToArray();
        var byDistance = scope.Weight("weight", buckets, heads).Gather(scope.Graph.Constant<long>(table, table.Length));         // (2 max + 1, heads)
        var biases = byDistance.Gather(relative.Clip(-maxDistance, maxDistance) + maxDistance);                                  // (.., N, M, heads)
        return relative.Rank == 3 ? biases.Transpose(0, 3, 1, 2) : biases.Transpose(2, 0, 1).Unsqueeze(0);
    }

    /// <summary>The bucket of a relative position, key minus query. Logarithms in single precision, as published.</summary>
    public static long T5Bucket(int relative, int buckets, int maxDistance, bool bidirectional)
    {
        var (offset, distance) = (0, Math.Max(-relative, 0));
        if (bidirectional)
        {
            buckets /= 2;
            (offset, distance) = (relative > 0 ? buckets : 0, Math.Abs(relative));
        }

        var exact = buckets / 2;
        if (distance < exact) return offset + distance;
        var logarithmic = exact + (int)(MathF.Log((float)distance / exact) / (float)Math.Log((double)maxDistance / exact) * (buckets - exact));
        return offset + Math.Min(logarithmic, buckets - 1);
    }

    /// <summary>
    /// Swin's bias (Liu et al., arXiv:2103.14030, eq. 4): a learned number for each head and offset within a window of <paramref name="rows"/> x <paramref name="columns"/>. <c>relative_position_bias_table</c> ((2 rows - 1)(2 columns - 1), heads) -> (1, heads, N, N). Tables with <paramref name="further"/> rows at the end, as BEiT's for its class token, lend the others.
    /// </summary>
    public static Value SwinBias(this Scope scope, int rows, int columns, long heads, int further = 0)
    {
        var count = rows * columns;
        var index = new long[count * count];
        for (var i = 0; i < count; i++)
        {
            for (var j = 0; j < count; j++) index[i * count + j] = (i / columns - j / columns + rows - 1) * (2 * columns - 1) + i % columns - j % columns + columns - 1;
        }

        var table = scope.Weight("relative_position_bias_table", (2L * rows - 1) * (2 * columns - 1) + further, heads);
        return table.Gather(scope.Graph.Constant<long>(index, count, count)).Transpose(2, 0, 1).Unsqueeze(0);
    }
}
