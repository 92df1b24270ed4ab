using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Inference.Kernels;

/// <summary>
/// One call of an <see cref="AttentionKernel"/>. A part is some queries of a head. It goes over the keys in blocks: keys and values of a block are packed, then for 12 rows at a time come the scores, their exponentials and the product with
/// the values, all in cache. Where there are several blocks, a row's largest score and sum so far are kept, and what was summed is scaled when a larger one is met (Dao et al., arXiv:2205.14135). A row's result depends on nothing but its
/// own query, keys and values, and on whether there are so few queries that keys are read in place, which sums in another order.
/// </summary>
internal sealed unsafe class AttentionRun(AttentionSizes sizes, float* q, float* k, float* v, float* y, ScratchPool pool)
{
    // With fewer rows than these, packing a key costs more than it saves.
    private const int RowsToPack = 4;

    private readonly int _rows = sizes.PartQueries;
    private readonly int _blocks = (sizes.Queries + sizes.PartQueries - 1) / sizes.PartQueries;
    private readonly nint _keyStride = (nint)sizes.Heads * sizes.Width, _valueStride = (nint)sizes.Heads * sizes.ValueWidth;

    // Keys and values are read where they are.
    private readonly bool _keysInPlace = sizes.Queries < RowsToPack && sizes.Width % Vector512<float>.Count == 0;
    private readonly bool _valuesInPlace = sizes.Queries < RowsToPack && sizes.ValueWidth % Tile.Columns == 0;

    /// <summary>Factor on the scores.</summary>
    public required float Scale { get; init; }

    /// <summary>Whether query i sees keys 0..i only.</summary>
    public required bool Causal { get; init; }

    /// <summary>Added to the scores, or null.</summary>
    public required float* Bias { get; init; }

    /// <summary>From a batch's bias to the next, or 0.</summary>
    public required nint BiasBatchStride { get; init; }

    /// <summary>From a head's bias to the next, or 0.</summary>
    public required nint BiasHeadStride { get; init; }

    /// <summary>Number of tasks, each of some parts.</summary>
    public int Tasks => (int)Math.Min(Parts, 32L * Environment.ProcessorCount);

    private long Parts => (long)sizes.Batch * sizes.Heads * _blocks;

    /// <summary>Computes a task's parts.</summary>
    public void Compute(int task)
    {
        using var lease = pool.Rent(sizes.ScratchCount);
        for (var part = Parts * task / Tasks; part < Parts * (task + 1) / Tasks; part++)
        {
            var (map, block) = Math.DivRem(part, _blocks);
            Part((int)(map / sizes.Heads), (int)(map % sizes.Heads), (int)block * _rows, new(sizes, _rows, lease.Data));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Part(int batch, int head, int first, Scratch scratch)
    {
        var (width, keys, blockKeys) = (sizes.Width, sizes.Keys, sizes.BlockKeys);
        var rows = Math.Min(_rows, sizes.Queries - first);
        var queries = q + ((nint)batch * sizes.Queries + first) * _keyStride + (nint)head * width;
        var results = y + ((nint)batch * sizes.Queries + first) * _valueStride + (nint)head * sizes.ValueWidth;
        var headKeys = k + (nint)batch * keys * _keyStride + (nint)head * width;
        var headValues = v + (nint)batch * keys * _valueStride + (nint)head * sizes.ValueWidth;
        var bias = Bias is null ? null : Bias + batch * BiasBatchStride + head * BiasHeadStride + (nint)first * keys;
        var seen = Seen(first + rows - 1);
        var softmax = new Softmax(Scale, bias is not null);
        for (var start = 0; start < seen; start += blockKeys)
        {
            var count = Math.Min(blockKeys, seen - start);
            var blockK = headKeys + start * _keyStride;
            var blockV = headValues + start * _valueStride;
            if (!_keysInPlace) AttentionPacking.Keys(blockK, _keyStride, count, width, scratch.Keys);
            if (!_valuesInPlace) AttentionPacking.Values(blockV, _valueStride, count, sizes.ValueWidth, scratch.Values);
            for (var row = 0; row < rows; row += Tile.Rows)
            {
                var (height, last) = (Math.Min(Tile.Rows, rows - row), Seen(first + Math.Min(row + Tile.Rows, rows) - 1));
                var depth = Math.Min(count, last - start);
                if (depth <= 0) continue;
                Scores(queries + row * _keyStride, height, blockK, depth, scratch);
                for (var i = row; i < row + height; i++)
                    softmax.FindLargest(scratch.Scores + (i - row) * blockKeys, Math.Clamp(Seen(first + i) - start, 0, depth), bias is null ? null : bias + (nint)i * keys + start, start == 0, scratch.States + i);
                for (var i = row; i < row + height; i++)
                {
                    softmax.Exponentials(scratch.Scores + (i - row) * blockKeys, Math.Clamp(Seen(first + i) - start, 0, depth), depth, scratch.States + i);
                    if (start > 0 && scratch.States[i].Factor != 1) Softmax.Multiply(scratch.Sums + (nint)i * sizes.PaddedValueWidth, sizes.PaddedValueWidth, scratch.States[i].Factor);
                }

                Products(scratch, row, height, blockV, count, depth, start > 0);

                // After the last block that these rows see; what they summed is still near.
                if (start + blockKeys < last) continue;
                for (var i = row; i < row + height; i++) Softmax.Finish(scratch.Sums + (nint)i * sizes.PaddedValueWidth, sizes.ValueWidth, scratch.States[i].Sum, results + i * _valueStride);
            }
        }
    }

    // Keys that a query sees.
    private int Seen(int query) => Causal ? Math.Min(query + 1, sizes.Keys) : sizes.Keys;

    private void Scores(float* queries, int height, float* blockK, int depth, Scratch scratch)
    {
        if (_keysInPlace)
        {
            DotProducts.Compute(queries, height, _keyStride, blockK, _keyStride, depth, sizes.Width, scratch.Scores, sizes.BlockKeys);
            return;
        }

        for (var column = 0; column < depth; column += Tile.Columns)
            Tile.Multiply<PackedPanel>(height, queries, _keyStride, scratch.Keys + (nint)column * sizes.Width, null, sizes.Width, scratch.Scores + column, sizes.BlockKeys, add: false);
    }

    private void Products(Scratch scratch, int row, int height, float* blockV, int count, int depth, bool add)
    {
        var sums = scratch.Sums + (nint)row * sizes.PaddedValueWidth;
        for (var column = 0; column < sizes.PaddedValueWidth; column += Tile.Columns)
        {
            if (_valuesInPlace) Tile.Multiply<StridedPanel>(height, scratch.Scores, sizes.BlockKeys, blockV + column, (nint*)_valueStride, depth, sums + column, sizes.PaddedValueWidth, add);
            else Tile.Multiply<PackedPanel>(height, scratch.Scores, sizes.BlockKeys, scratch.Values + (nint)column * count, null, depth, sums + column, sizes.PaddedValueWidth, add);
        }
    }

    // Each step at the same distance from the one before, which stands for the table of offsets.
    private readonly struct StridedPanel : ITilePanel
    {
        public static float* At(float* panel, nint* offsets, nint step) => panel + step * (nint)offsets;
    }

    // Where a task's packed keys, packed values, scores and rows are.
    private readonly struct Scratch(AttentionSizes sizes, int rows, float* data)
    {
        public float* Keys => data;

        public float* Values => Keys + (nint)sizes.BlockKeys * sizes.Width;

        public float* Scores => Values + (nint)sizes.BlockKeys * sizes.PaddedValueWidth;

        public float* Sums => Scores + (nint)sizes.BlockKeys * Tile.Rows;

        public SoftmaxState* States => (SoftmaxState*)(Sums + (nint)rows * sizes.PaddedValueWidth);
    }
}
