namespace ModelZoo.Inference.Kernels;

/// <summary>Sizes of one call of attention, and how it is cut up. Blocks of keys begin at the same places whatever else there is; how queries are cut has no part in the results.</summary>
/// <param name="Batch">B.</param>
/// <param name="Heads">Number of heads.</param>
/// <param name="Queries">N.</param>
/// <param name="Keys">M.</param>
/// <param name="Width">Of a head's queries and keys.</param>
/// <param name="ValueWidth">Of a head's values.</param>
internal readonly record struct AttentionSizes(int Batch, int Heads, int Queries, int Keys, int Width, int ValueWidth)
{
    // 12 rows of so many scores take half of a first cache of 48 KB.
    private const int MostKeys = 512;

    // Numbers of a block's packed keys and values, half of a second cache of 1 MB, and of a task's sums, a quarter.
    private const int PackedNumbers = 128 << 10, SumNumbers = 64 << 10;

    private const int TasksPerProcessor = 4, FewestRows = 8 * Tile.Rows;

    /// <summary>Width of a head's values with the columns that fill the last panel.</summary>
    public int PaddedValueWidth { get; } = Round(ValueWidth, Tile.Columns);

    /// <summary>Keys of a block; the last one may have fewer.</summary>
    public int BlockKeys { get; } = Math.Min(Round(Keys, Tile.Columns), Math.Clamp(PackedNumbers / (Width + Round(ValueWidth, Tile.Columns)) / Tile.Columns * Tile.Columns, Tile.Columns, MostKeys));

    /// <summary>Queries of a part: all of a head's, or as many as give every thread some parts and share packed keys well.</summary>
    public int PartQueries
    {
        get
        {
            var parts = Math.Min((long)TasksPerProcessor * Environment.ProcessorCount, (long)Batch * Heads * Queries);
            var rows = Math.Min(Math.Max(FewestRows, (long)Batch * Heads * Queries / parts), Math.Max(Tile.Rows, SumNumbers / PaddedValueWidth));
            var count = (Queries + rows - 1) / rows;
            return Round((int)((Queries + count - 1) / count), Tile.Rows);
        }
    }

    /// <summary>Numbers that a task works in: packed keys and values, 12 rows of scores, sums and states of rows.</summary>
    public long ScratchCount => (long)BlockKeys * (Width + PaddedValueWidth + Tile.Rows) + (long)PartQueries * (PaddedValueWidth + SoftmaxState.Numbers);

    private static int Round(int count, int multiple) => (count + multiple - 1) / multiple * multiple;
}
