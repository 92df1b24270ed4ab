using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Inference.Kernels;

/// <summary>
/// A picture convolved with three by three taps by Winograd's products. A place is a square of outputs, so that its inputs are those of a convolution whose stride is the square's side. A task takes a block of places: it turns their inputs into
/// factors, panel by panel of 32 places, multiplies these for some outputs by the filters' factors, and turns the products into outputs while they are in the second cache.
/// </summary>
internal sealed unsafe class WinogradRun<TForm>(WinogradFilters<TForm> filters, WeightData? bias, ScratchPool scratch, ConvolutionInput input, ConvolutionBlocks blocks, nint x, nint y, int height, int width) where TForm : struct, IWinogradForm
{
    // Outputs whose products are kept at once, in blocks of 12.
    private const int RowBlocksAtOnce = 4;

    private static int Products => TForm.Points * TForm.Points;

    public void Compute(KernelContext context, int batch)
    {
        filters.Ready(context);
        using var offsets = scratch.Rent(Products * (sizeof(nint) / sizeof(float)));
        blocks.Offsets(1, (nint*)offsets.Data);
        var at = (nint)offsets.Data;
        context.For(batch * blocks.Count, task => Convolve(task / blocks.Count, task % blocks.Count, (nint*)at));
    }

    private void Convolve(int picture, int block, nint* offsets)
    {
        nint planes = (nint)blocks.Size(1), panel = (nint)filters.Channels * Tile.Columns, pitch = blocks.Tiles * Tile.Columns;
        var (factors, sums) = (Products * blocks.Tiles * panel, Products * RowBlocksAtOnce * Tile.Rows * pitch + Tile.Columns);
        using var memory = scratch.Rent(planes + factors + sums);
        var (values, products) = ((nint)(memory.Data + planes), (nint)(memory.Data + planes + factors));
        for (var channel = 0; channel < filters.Channels; channel++)
        {
            blocks.Fill(input, block, (float*)x + ((nint)picture * filters.Channels + channel) * input.Rows * input.Columns, 1, memory.Data);
            for (var tile = 0; tile < blocks.Tiles; tile++) Factors(memory.Data + blocks.TileStarts[tile], offsets, (float*)values + tile * panel + (nint)channel * Tile.Columns, blocks.Tiles * panel);
        }

        for (var rows = 0; rows < filters.RowBlocks; rows += RowBlocksAtOnce)
        {
            var end = Math.Min(rows + RowBlocksAtOnce, filters.RowBlocks);
            for (var product = 0; product < Products; product++)
            {
                for (var row = rows; row < end; row++)
                    Multiply(product, row, (float*)values + product * blocks.Tiles * panel, panel, (float*)products + ((nint)product * RowBlocksAtOnce + row - rows) * Tile.Rows * pitch, pitch);
            }

            for (var output = rows * Tile.Rows; output < Math.Min(end * Tile.Rows, filters.Outputs); output++)
                Finish(picture, block, output, (float*)products + (output - rows * Tile.Rows) * pitch, RowBlocksAtOnce * Tile.Rows * pitch);
        }
    }

    // 32 places of a channel: across, then down.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Factors(float* places, nint* offsets, float* to, nint step)
    {
        var across = stackalloc float[Products * 16];
        var down = stackalloc nint[TForm.Points];
        for (var i = 0; i < TForm.Points; i++) down[i] = i * TForm.Points * 16;
        for (var half = 0; half < Tile.Columns; half += 16)
        {
            for (var i = 0; i < TForm.Points; i++) TForm.Input(places + half, offsets + i * TForm.Points, across + i * TForm.Points * 16, 16);
            for (var i = 0; i < TForm.Points; i++) TForm.Input(across + i * 16, down, to + half + i * step, TForm.Points * step);
        }
    }

    private void Multiply(int product, int rowBlock, float* factors, nint panel, float* products, nint pitch)
    {
        var rows = Math.Min(Tile.Rows, filters.Outputs - rowBlock * Tile.Rows);
        for (var channels = 0; channels < filters.ChannelBlocks; channels++)
        {
            var first = channels * filters.ChannelsAtOnce;
            var count = Math.Min(filters.ChannelsAtOnce, filters.Channels - first);
            var weights = filters.Block(product, channels, rowBlock);
            var (next, step) = ((nint)(weights + (nint)rows * count), (nint)(rows * sizeof(float) / blocks.Tiles));
            for (var tile = 0; tile < blocks.Tiles; tile++, next += step * count)
                Tile.Multiply<PackedPanel>(rows, weights, count, factors + tile * panel + (nint)first * Tile.Columns, null, count, products + tile * Tile.Columns, pitch, channels > 0, new(next, step));
        }
    }

    // An output channel's places, row by row of these: each gives several lines.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Finish(int picture, int block, int output, float* products, nint step)
    {
        var side = TForm.Outputs;
        var down = stackalloc float[side * TForm.Points * 16];
        var squares = stackalloc float[side * side * 16];
        var lines = stackalloc float[side * side * 16];
        var offset = Vector512.Create(bias is null ? 0 : ((float*)bias.Address)[output]);
        var (firstRow, firstColumn, rows, columns) = blocks.Places(block);
        var target = (float*)y + ((nint)picture * filters.Outputs + output) * height * width;
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column += 16)
            {
                var at = products + row * blocks.SumPitch + column;
                for (var i = 0; i < TForm.Points; i++) TForm.Output(at + i * step, TForm.Points * step, down + i * 16, TForm.Points * 16);
                for (var i = 0; i < side; i++)
                {
                    var line = (firstRow + row) * side + i;
                    if (line >= height) break;
                    TForm.Output(down + i * TForm.Points * 16, 16, squares, 16);
                    var to = target + (nint)line * width + (firstColumn + column) * side;
                    var count = Math.Min(Math.Min(16, columns - column) * side, width - (firstColumn + column) * side);
                    Interleaving.Weave(squares, 16, side, offset, count == 16 * side ? to : lines);
                    if (count < 16 * side) new Span<float>(lines, count).CopyTo(new(to, count));
                }
            }
        }
    }
}
