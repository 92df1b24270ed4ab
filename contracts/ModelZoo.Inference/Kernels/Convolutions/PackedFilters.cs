using System.Runtime.InteropServices;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference.Kernels;

/// <summary>
/// A filter's weights in the order in which tiles read them: cut into blocks of input channels, in each the rows in blocks of a tile's height. Such a block stays in the first cache while places go by. They are packed when first wanted, on the engine's
/// threads, and then the weight they came from is let go.
/// </summary>
internal sealed unsafe class PackedFilters(WeightData weight, FilterMap map) : IDisposable
{
    // Twelve rows of so many steps are half of the first cache.
    private const int StepsAtOnce = 512;

    private readonly Lock _packing = new();
    private WeightData? _weight = weight;
    private float* _blocks;

    public FilterMap Map => map;

    /// <summary>Input channels of a block; fewer in the last.</summary>
    public int ChannelsAtOnce { get; } = Balanced(map.Channels, Math.Max(1, StepsAtOnce / map.Taps));

    /// <summary>Rows of a block; fewer in the last.</summary>
    public int RowsAtOnce { get; } = Balanced(map.Rows, Tile.Rows);

    public int ChannelBlocks => (map.Channels + ChannelsAtOnce - 1) / ChannelsAtOnce;

    public int RowBlocks => (map.Rows + RowsAtOnce - 1) / RowsAtOnce;

    /// <summary>Input channels of one of the blocks.</summary>
    public int Channels(int channelBlock) => Math.Min(ChannelsAtOnce, map.Channels - channelBlock * ChannelsAtOnce);

    /// <summary>Rows of one of the blocks.</summary>
    public int Rows(int rowBlock) => Math.Min(RowsAtOnce, map.Rows - rowBlock * RowsAtOnce);

    /// <summary>The weights of a block, row by row, once <see cref="Ready"/> was called.</summary>
    public float* Block(int channelBlock, int rowBlock) =>
        _blocks + ((nint)channelBlock * ChannelsAtOnce * map.Rows + (nint)rowBlock * RowsAtOnce * Channels(channelBlock)) * map.Taps;

    /// <summary>Packs the weight if that was not done.</summary>
    public void Ready(KernelContext context)
    {
        if (Volatile.Read(ref _weight) is null) return;
        lock (_packing)
        {
            if (_weight is not { } weight) return;
            var bytes = (nuint)map.Rows * (nuint)map.Channels * (nuint)map.Taps * sizeof(float);
            _blocks = (float*)NativeMemory.AlignedAlloc(bytes, 64);
            Pages.PreferLarge(_blocks, bytes);
            context.For(RowBlocks, row => Pack((float*)weight.Address, row));
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

    private void Pack(float* source, int rowBlock)
    {
        for (var block = 0; block < ChannelBlocks; block++)
        {
            var to = Block(block, rowBlock);
            var channels = Channels(block);
            for (var row = 0; row < Rows(rowBlock); row++, to += channels * map.Taps) map.Copy(source, rowBlock * RowsAtOnce + row, block * ChannelsAtOnce, channels, to);
        }
    }

    // As few parts of at most so many as there can be, all of about a size.
    private static int Balanced(int count, int most)
    {
        var parts = (count + most - 1) / most;
        return (count + parts - 1) / parts;
    }
}
