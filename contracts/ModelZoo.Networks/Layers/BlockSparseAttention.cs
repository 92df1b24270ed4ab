using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>Attention of blocks of queries to chosen blocks of keys (Child et al., arXiv:1904.10509; Zaheer et al., arXiv:2007.14062). Only what is chosen is computed.</summary>
public static class BlockSparseAttention
{
    /// <summary>Multi-head attention in which the queries of block i see the keys of the blocks <paramref name="layout"/>[i]. q (B, N, heads W), k and v (B, M, kvHeads W) -> (B, N, heads V); blocks divide N and M.</summary>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="options">Heads, scale and cap. With <see cref="AttentionOptions.Causal"/> a query sees no later key, within the blocks that the layout gives it; a bias or window is not taken.</param>
    /// <param name="block">Positions in a block.</param>
    /// <param name="layout">For each block of queries the numbers of the blocks of keys, at least one.</param>
    /// <exception cref="GraphException">The layout does not fit the shapes, or the options have a bias or a window.</exception>
    public static Value Attention(Value q, Value k, Value v, AttentionOptions options, int block, IReadOnlyList<IReadOnlyList<int>> layout)
    {
        var keyBlocks = k.Shape[1].Size / block;
        if (q.Shape[1] != (long)layout.Count * block || k.Shape[1] != keyBlocks * block || layout.Any(row => row.Count == 0 || row.Any(number => number < 0 || number >= keyBlocks)))
            throw new GraphException("The layout of blocks does not fit queries and keys.") { Where = q.Path, Expected = $"{layout.Count} blocks of {block} queries, and blocks of keys that are there", Found = $"{q}, {k}" };
        if (options.Bias is not null || options.Window is not null) throw new GraphException("Block-sparse attention takes no bias and no window.") { Where = q.Path };

        var (most, rows) = (layout.Max(row => row.Count), layout.Count);
        var chosen = q.Graph.Constant<long>([.. layout.SelectMany(row => Padded(row, most))], rows * most);
        Value Blocks(Value x) => x.Reshape(x.Shape[0], keyBlocks, block, x.Shape[2].Size).Gather(chosen, 1).Reshape(x.Shape[0] * rows, most * block, x.Shape[2].Size);
        var seen = Mask(q, options, block, layout, most);
        var y = AttentionLayers.Attention(q.Reshape(q.Shape[0] * rows, block, q.Shape[2].Size), Blocks(k), Blocks(v), options with { Causal = false, Bias = seen });
        return y.Reshape(q.Shape[0], q.Shape[1], y.Shape[2].Size);
    }

    // Rows of the layout are filled up to one length; what fills them, and what is later than a causal query, is hidden: (B blocks, 1, block, most block), or null when all is seen.
    private static Value? Mask(Value q, AttentionOptions options, int block, IReadOnlyList<IReadOnlyList<int>> layout, int most)
    {
        if (!options.Causal && layout.All(row => row.Count == most)) return null;
        var mask = new float[layout.Count * block * most * block];
        for (var at = 0; at < mask.Length; at++)
        {
            var (key, query, row) = (at % (most * block), at / (most * block) % block, at / (most * block) / block);
            var isThere = key / block < layout[row].Count;
            var isLater = isThere && options.Causal && layout[row][key / block] * block + key % block > row * block + query;
            mask[at] = isThere && !isLater ? 0 : AttentionLayers.Masked;
        }

        var constant = q.Graph.Constant<float>(mask, 1, layout.Count, 1, block, most * block);
        return constant.Expand(q.Shape[0], layout.Count, 1, block, most * block).Reshape(q.Shape[0] * layout.Count, 1, block, most * block);
    }

    private static IEnumerable<long> Padded(IReadOnlyList<int> row, int most) => row.Select(number => (long)number).Concat(Enumerable.Repeat(0L, most - row.Count));
}
