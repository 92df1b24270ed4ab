namespace ModelZoo.Inference.Kernels;

/// <summary>
/// How the places of a run are cut into blocks. A block is some rows of places by some columns; what its taps meet of an input channel is copied into planes of its own, one for each phase of the strides, padding and all. In these every tap is
/// at one offset from a place, and 32 places are side by side, so that tiles read them where they are.
/// </summary>
internal sealed unsafe class ConvolutionBlocks
{
    private const int ColumnsAtOnce = 128;

    private readonly ConvolutionAxis _y, _x;
    private readonly int _rowsAtOnce, _columnsAtOnce;
    private readonly bool _isAcross;

    /// <summary>Blocks of about <paramref name="wanted"/> places of a picture of <paramref name="rows"/> by <paramref name="columns"/>.</summary>
    public ConvolutionBlocks(ConvolutionAxis y, ConvolutionAxis x, int rows, int columns, int wanted)
    {
        (_y, _x, Rows, Columns) = (y, x, rows, columns);
        _columnsAtOnce = Part(columns, rows == 1 ? wanted : ColumnsAtOnce, Tile.Columns);
        _rowsAtOnce = Part(rows, Math.Max(1, wanted / _columnsAtOnce), 1);
        Across = (columns + _columnsAtOnce - 1) / _columnsAtOnce;
        Down = (rows + _rowsAtOnce - 1) / _rowsAtOnce;
        Pitch = _columnsAtOnce + x.Reach;

        // Tiles go on from one row to the next, over the few places between them that are none, or begin anew in each row: whatever takes fewer.
        var (through, each) = (((_rowsAtOnce - 1) * Pitch + _columnsAtOnce + Tile.Columns - 1) / Tile.Columns, (_columnsAtOnce + Tile.Columns - 1) / Tile.Columns);
        var goOn = through <= _rowsAtOnce * each;
        Tiles = goOn ? through : _rowsAtOnce * each;
        SumPitch = goOn ? Pitch : each * Tile.Columns;
        TileStarts = [.. Enumerable.Range(0, Tiles).Select(tile => goOn ? tile * Tile.Columns : tile / each * Pitch + tile % each * Tile.Columns)];
        _isAcross = !goOn;
    }

    /// <summary>Places from top to bottom.</summary>
    public int Rows { get; }

    /// <summary>Places from left to right.</summary>
    public int Columns { get; }

    public int Count => Down * Across;

    public int Down { get; }

    public int Across { get; }

    /// <summary>Tiles of a block.</summary>
    public int Tiles { get; }

    /// <summary>Where each tile begins in a plane.</summary>
    public nint[] TileStarts { get; }

    /// <summary>Numbers from a row of places to the next among the sums of a block's tiles.</summary>
    public int SumPitch { get; }

    /// <summary>Numbers of an input channel's planes.</summary>
    public int PlaneSize => _y.Phases.Length * _x.Phases.Length * PlaneRows * Pitch;

    private int Pitch { get; }

    private int PlaneRows => _rowsAtOnce + _y.Reach;

    /// <summary>Numbers of a block's planes for some channels, with what the last tile reads beyond them and a line of the input.</summary>
    public long Size(int channels) => ((long)channels * PlaneSize + Tile.Columns + (long)Pitch * _x.Stride + Interleaving.Beyond + 15) / 16 * 16;

    /// <summary>The first place of a block, and how many rows and columns it has.</summary>
    public (int Row, int Column, int Rows, int Columns) Places(int block)
    {
        var (row, column) = (block / Across * _rowsAtOnce, block % Across * _columnsAtOnce);
        return (row, column, Math.Min(_rowsAtOnce, Rows - row), Math.Min(_columnsAtOnce, Columns - column));
    }

    /// <summary>Whether a tile has places of a block: blocks at the right and at the bottom have fewer.</summary>
    public bool HasPlaces(int tile, int block)
    {
        var (_, _, rows, columns) = Places(block);
        var start = (int)TileStarts[tile];
        return _isAcross ? start / Pitch < rows && start % Pitch < columns : start < (rows - 1) * Pitch + columns;
    }

    /// <summary>Where each step of a product is in the planes: channel by channel, tap by tap.</summary>
    public void Offsets(int channels, nint* offsets)
    {
        var taps = _y.Kernel * _x.Kernel;
        for (var tap = 0; tap < taps; tap++)
        {
            var (down, across) = (_y.Tap(tap / _x.Kernel), _x.Tap(tap % _x.Kernel));
            offsets[tap] = ((nint)(down.Phase * _x.Phases.Length + across.Phase) * PlaneRows + down.Offset) * Pitch + across.Offset;
        }

        for (var step = taps; step < channels * taps; step++) offsets[step] = offsets[step - taps] + PlaneSize;
    }

    /// <summary>Copies what a block's taps meet of some channels to <paramref name="planes"/>, which have the <see cref="Size"/> of these.</summary>
    public void Fill(ConvolutionInput input, int block, float* channel, int channels, float* planes)
    {
        var (row, column, _, _) = Places(block);
        var line = planes + (nint)channels * PlaneSize + Tile.Columns;
        for (; channels > 0; channels--, channel += (nint)input.Rows * input.Columns)
        {
            foreach (var phase in _y.Phases)
            {
                for (var i = 0; i < PlaneRows; i++) Fill(input, channel, (row + i) * _y.Stride + phase, column * _x.Stride, planes + i * Pitch, line);
                planes += _x.Phases.Length * PlaneRows * Pitch;
            }
        }

        new Span<float>(planes, Tile.Columns).Clear();
    }

    // A row of the input goes to a row of each phase.
    private void Fill(ConvolutionInput input, float* channel, int row, int column, float* planes, float* line)
    {
        if (_x.Stride == 1)
        {
            input.Copy(channel, row, column, Pitch, planes);
            return;
        }

        input.Copy(channel, row, column, Pitch * _x.Stride, line);
        foreach (var phase in _x.Phases)
        {
            Interleaving.Every(line + phase, _x.Stride, Pitch, planes);
            planes += PlaneRows * Pitch;
        }
    }

    // The size of as few parts of at most so many as there can be, a multiple where there are several.
    private static int Part(int count, int most, int multiple)
    {
        if (count <= most) return Math.Max(1, count);
        var parts = (count + most - 1) / most;
        return ((count + parts - 1) / parts + multiple - 1) / multiple * multiple;
    }
}
