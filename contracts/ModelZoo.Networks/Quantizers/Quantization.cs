namespace ModelZoo.Networks.Quantizers;

/// <summary>What a quantizer gives.</summary>
/// <param name="Projected">Its input in the space of the codebook, before any normalisation: (B, N, D').</param>
/// <param name="Codes">Ids, int64, one for each place of the input; with one more axis where several codebooks or levels are used.</param>
/// <param name="Quantized">The input's nearest codes in the input's own layout.</param>
public sealed record Quantization(Value Projected, Value Codes, Value Quantized)
{
    /// <summary>What each level of a residual quantizer gave, in the space of the codebook: (levels, B, .., D'); null where there are no levels.</summary>
    public Value? AllCodes { get; init; }

    /// <summary>The projected input in the layout of <see cref="Quantized"/>, as if it had been coded without loss; null where that is the input.</summary>
    public Value? Unquantized { get; init; }
}

/// <summary>Nearest rows of a codebook, and layouts of what is quantized.</summary>
public static class Codebook
{
    /// <summary>Row at the smallest euclidean distance, the first of equals: argmax of x e - |e|^2 / 2. x (.., D), table (K, D) -> (..), int64.</summary>
    public static Value Nearest(Value x, Value table)
    {
        var scores = x.MatMul(table.Swap(0, 1)) - table.Square().Sum(-1) * 0.5;             // (.., K)
        return scores.ArgMax(-1);
    }

    /// <summary>Row with the largest dot product, the first of equals; of unit vectors, the nearest by angle. x (.., D), table (K, D) -> (..), int64.</summary>
    public static Value MostAlike(Value x, Value table) => x.MatMul(table.Swap(0, 1)).ArgMax(-1);

    // (B, D, ..) or (B, .., D) or (B, D) -> (B, N, D).
    internal static Value ToSequence(this Value x, bool channelsFirst) => channelsFirst ? x.Flatten(2).Swap(1, 2) : x.Rank == 2 ? x.Unsqueeze(1) : x.Flatten(1, -2);

    // (B, N, D) -> the layout that ToSequence took.
    internal static Value FromSequence(this Value y, Shape layout, bool channelsFirst) =>
        channelsFirst ? y.Swap(1, 2).Reshape([y.Shape[0], y.Shape[2], .. layout[2..]]) : y.Reshape([.. layout[..^1], y.Shape[2]]);

    // (B, N, D) -> channels last in the layout's places.
    internal static Value PlacesFromSequence(this Value y, Shape layout, bool channelsFirst) => y.Reshape([layout[0], .. channelsFirst ? layout[2..] : layout[1..^1], y.Shape[2]]);

    // (B, N) or (B, N, C) -> one id, or C, for each place of that layout.
    internal static Value IdsFromSequence(this Value ids, Shape layout, bool channelsFirst) =>
        ids.Reshape([layout[0], .. channelsFirst ? layout[2..] : layout[1..^1], .. ids.Shape[2..]]);

    // How many levels ids (B, .., levels) have; coarse ones have fewer than the quantizer.
    internal static int LevelsOr(this Value ids, int most) => ids.Shape[-1].IsKnown ? Math.Min(ids.Shape[-1].Int, most) : most;

    // (B, .., D) -> (B, D, ..).
    internal static Value ChannelsFirst(this Value x) => x.Transpose([0, x.Rank - 1, .. Enumerable.Range(1, x.Rank - 2)]);
}
