using System.Runtime.InteropServices;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference.Kernels;

/// <summary>A filter of three by three taps as factors of Winograd's products: for each of these a matrix (outputs, channels), in blocks that <see cref="Tile"/> reads from the first cache. They are made when first wanted.</summary>
internal sealed unsafe class WinogradFilters<TForm>(WeightData weight) : IDisposable where TForm : struct, IWinogradForm
{
    private const int ChannelsWanted = 512;

    private readonly Lock _making = new();
    private WeightData? _weight = weight;
    private float* _blocks;

    public int Outputs { get; } = checked((int)weight.Shape[0]);

    public int Channels { get; } = checked((int)weight.Shape[1]);

    public int ChannelsAtOnce => Math.Min(Channels, ChannelsWanted);

    public int ChannelBlocks => (Channels + ChannelsAtOnce - 1) / ChannelsAtOnce;

    public int RowBlocks => (Outputs + Tile.Rows - 1) / Tile.Rows;

    /// <summary>Bytes of all factors.</summary>
    public static long Size(WeightData weight) => weight.Shape[0] * weight.Shape[1] * TForm.Points * TForm.Points * sizeof(float);

    /// <summary>Factors of a product, row by row, for some channels and at most 12 outputs.</summary>
    public float* Block(int product, int channelBlock, int rowBlock)
    {
        nint first = channelBlock * ChannelsAtOnce;
        return _blocks + (nint)product * Outputs * Channels + first * Outputs + (nint)rowBlock * Tile.Rows * Math.Min(ChannelsAtOnce, Channels - first);
    }

    /// <summary>Makes the factors if that was not done.</summary>
    public void Ready(KernelContext context)
    {
        if (Volatile.Read(ref _weight) is null) return;
        lock (_making)
        {
            if (_weight is not { } weight) return;
            var bytes = (nuint)Size(weight);
            _blocks = (float*)NativeMemory.AlignedAlloc(bytes, 64);
            Pages.PreferLarge(_blocks, bytes);
            context.For(RowBlocks, rows => Make((float*)weight.Address, rows));
            weight.LeaveMemory();
            Volatile.Write(ref _weight, null);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_blocks);
        _blocks = null;
    }

    // Twelve rows' factors, T w T^T of each filter w, in double: they are rounded once.
    private void Make(float* weights, int rowBlock)
    {
        var (points, taps) = (TForm.Points, TForm.Taps);
        var half = stackalloc double[3 * points];
        for (var row = 0; row < Math.Min(Tile.Rows, Outputs - rowBlock * Tile.Rows); row++)
        {
            for (var channel = 0; channel < Channels; channel++)
            {
                var filter = weights + ((nint)(rowBlock * Tile.Rows + row) * Channels + channel) * 9;
                for (var i = 0; i < points; i++)
                {
                    for (var j = 0; j < 3; j++) half[i * 3 + j] = taps[i][0] * filter[j] + taps[i][1] * filter[3 + j] + taps[i][2] * filter[6 + j];
                }

                var (block, within) = (channel / ChannelsAtOnce, channel % ChannelsAtOnce);
                nint pitch = Math.Min(ChannelsAtOnce, Channels - block * ChannelsAtOnce);
                for (var i = 0; i < points; i++)
                {
                    for (var j = 0; j < points; j++)
                        Block(i * points + j, block, rowBlock)[row * pitch + within] = (float)(half[i * 3] * taps[j][0] + half[i * 3 + 1] * taps[j][1] + half[i * 3 + 2] * taps[j][2]);
                }
            }
        }
    }
}
