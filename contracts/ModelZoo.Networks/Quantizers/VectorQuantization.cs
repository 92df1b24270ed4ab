namespace ModelZoo.Networks;

/// <summary>Nearest entries of a codebook, in the order of operations of the authors' code, so that near ties fall alike.</summary>
public static class VectorQuantization
{
    /// <summary>Entry at the smallest euclidean distance: argmin |z|^2 + |e|^2 - 2 z e. z (.., C), table (K, C) -> ids (..), int64.</summary>
    public static Value Nearest(Value z, Value table)
    {
        var rows = z.Reshape(-1, z.Shape[-1]);
        var distances = rows.Square().Sum(-1, keep: true) + table.Square().Sum(-1) - rows.MatMul(table.Swap(0, 1)) * 2;   // (N, K)
        return distances.ArgMin(-1).Reshape([.. z.Shape[..^1]]);
    }

    /// <summary>Entry with the largest dot product; with normalised vectors, the nearest by cosine. z (.., C), table (K, C) -> ids (..), int64.</summary>
    public static Value MostAlike(Value z, Value table) => z.MatMul(table.Swap(0, 1)).ArgMax(-1);

    /// <summary>Channels last: (B, C, H, W) -> (B, H, W, C).</summary>
    public static Value ChannelsLast(this Value x) => x.Transpose(0, 2, 3, 1);

    /// <summary>Channels first: (B, H, W, C) -> (B, C, H, W).</summary>
    public static Value ChannelsFirst(this Value x) => x.Transpose(0, 3, 1, 2);
}
