namespace ModelZoo.Inference.Kernels;

/// <summary>What a linear map is given besides its rows, in this order.</summary>
internal readonly record struct LinearForm
{
    /// <summary>Values (.., N) that are added in the end; the result has their shape.</summary>
    public bool HasResidual { get; init; }

    /// <summary>Factors on what they are added to, a row of N for each run of equally many rows.</summary>
    public bool HasGate { get; init; }

    /// <summary>The shape of the result, as int64.</summary>
    public bool IsShaped { get; init; }

    /// <summary>Whether 0 in that shape means 0.</summary>
    public bool IsLiteral { get; init; }
}

/// <summary>Columns of a matrix that begin with a panel of it.</summary>
internal readonly unsafe record struct MatrixColumns(PackedMatrix Matrix, int First, int Columns)
{
    /// <summary>All of a matrix.</summary>
    public MatrixColumns(PackedMatrix matrix)
        : this(matrix, 0, matrix.Columns)
    {
    }

    public int Depth => Matrix.Depth;

    public int Panels => (Columns + Tile.Columns - 1) / Tile.Columns;

    public float* Panel(int index) => Matrix.Panel(First / Tile.Columns + index);
}

/// <summary>y = f(x W^T + b) over the last dimension, or r + g f(x W^T + b): x (.., K) -> (.., N).</summary>
/// <param name="weight">W.</param>
/// <param name="bias">b, of all columns of the matrix, or none.</param>
/// <param name="activation">f.</param>
/// <param name="form">Which inputs follow x.</param>
internal sealed unsafe class LinearKernel(MatrixColumns weight, WeightData? bias, Activation activation, LinearForm form) : CpuKernel
{
    // Rows of x that stay in a core's second cache while panels of the weight go by.
    private const int RowsAtOnce = 20 * Tile.Rows;

    // Panels that a thread takes one after another, so that it knows the next.
    private const int PanelsAtOnce = 4;

    // With one tile a panel is read once, at the speed of memory: this many bytes are asked for before they are read. (The next panel, asked for as early as it is where there are more tiles, would be a third slower.)
    private const int Near = 8 << 10;

    public override string Operator => KernelOperators.Linear;

    /// <summary>Which inputs follow x.</summary>
    public LinearForm Form => form;

    public override void Compute(KernelContext context)
    {
        var work = Begin(context, context.Input(0), shapeInput: 1, output: 0);
        if (work.Tasks > 0) context.For(work.Tasks, task => Run(work, task));
    }

    /// <summary>Makes the output and says what there is to do for it.</summary>
    public LinearWork Begin(KernelContext context, KernelTensor x, int shapeInput, int output)
    {
        var rows = checked((int)(x.Count / weight.Depth));
        if (x.Count % weight.Depth != 0) throw new ArgumentException($"rows of {weight.Depth} are expected, in [{string.Join(", ", x.Shape)}]");
        var values = form.HasResidual ? context.Input(1) : default;
        var y = context.OutputAt(output, form.HasResidual ? values.Shape : form.IsShaped ? Target(context, shapeInput, rows) : [rows, weight.Columns]);
        if (y.Count != (long)rows * weight.Columns) throw new ArgumentException($"[{rows}, {weight.Columns}] cannot take the shape [{string.Join(", ", y.Shape)}]");
        if (y.Count == 0) return default;
        var residual = form.HasResidual ? Added(context, values, rows) : default;
        weight.Matrix.Ready(context);
        var (blocks, runs) = ((rows + RowsAtOnce - 1) / RowsAtOnce, (weight.Panels + PanelsAtOnce - 1) / PanelsAtOnce);
        return new((nint)x.Data, (nint)y.Data, rows, blocks, blocks * runs, residual);
    }

    /// <summary>Does a task of it.</summary>
    public void Run(LinearWork work, int task)
    {
        var (run, block) = Math.DivRem(task, work.Blocks);
        var first = block * RowsAtOnce;
        var end = Math.Min((run + 1) * PanelsAtOnce, weight.Panels);
        for (var panel = run * PanelsAtOnce; panel < end; panel++)
            Multiply((float*)work.X + (nint)first * weight.Depth, first, Math.Min(RowsAtOnce, work.Rows - first), panel, (float*)work.Y + (nint)first * weight.Columns, work.Residual);
    }

    public override void Dispose() => weight.Matrix.Dispose();

    // The shape is that of all columns of the matrix.
    private long[] Target(KernelContext context, int shapeInput, int rows)
    {
        var shape = context.TargetShape(shapeInput, rows, weight.Matrix.Columns, form.IsLiteral);
        if (weight.Columns != weight.Matrix.Columns) shape[^1] = weight.Columns;
        return shape;
    }

    private Residual Added(KernelContext context, KernelTensor values, int rows)
    {
        if (!form.HasGate) return new(values.Data, null, 1, weight.Columns);
        var gate = context.Input(2);
        var runs = (int)(gate.Count / weight.Columns);
        if (gate.Count != (long)runs * weight.Columns || runs == 0 || rows % runs != 0) throw new ArgumentException($"{gate.Count} factors do not meet [{rows}, {weight.Columns}]");
        return new(values.Data, gate.Data, rows / runs, weight.Columns);
    }

    // A panel's columns of some rows; the next panel comes from memory meanwhile.
    private void Multiply(float* x, int start, int rows, int panel, float* y, Residual residual)
    {
        var first = panel * Tile.Columns;
        var columns = Math.Min(Tile.Columns, weight.Columns - first);
        var offsets = bias is null ? null : (float*)bias.Address + weight.First + first;
        var edge = columns < Tile.Columns;
        var padded = stackalloc float[(Tile.Rows + 1) * Tile.Columns];                               // at the right edge: a tile, and its biases
        if (edge && offsets is not null)
        {
            var paddedOffsets = padded + Tile.Rows * Tile.Columns;
            new Span<float>(offsets, columns).CopyTo(new(paddedOffsets, columns));
            offsets = paddedOffsets;
        }

        var tiles = (rows + Tile.Rows - 1) / Tile.Rows;
        var next = tiles == 1 ? (byte*)weight.Panel(panel) + Near : (byte*)weight.Panel(Math.Min(panel + 1, weight.Panels - 1));
        nint step = Tile.Columns * sizeof(float) / tiles;
        for (var row = 0; row < rows; row += Tile.Rows, next += step * weight.Depth)
        {
            var height = Math.Min(Tile.Rows, rows - row);
            var target = y + (nint)row * weight.Columns + first;
            var tile = edge ? padded : target;
            nint stride = edge ? Tile.Columns : weight.Columns;
            if (residual.IsGiven) residual.Prefetch(start + row, height, first);
            Tile.Multiply<PackedPanel>(height, x + (nint)row * weight.Depth, weight.Depth, weight.Panel(panel), null, weight.Depth, tile, stride, add: false, new((nint)next, step));
            Activations.Finish(activation, tile, stride, height, offsets);
            for (var i = 0; edge && i < height; i++) new Span<float>(padded + i * Tile.Columns, columns).CopyTo(new(target + (nint)i * weight.Columns, columns));
            if (residual.IsGiven) residual.Add(target, start + row, height, first, columns);
        }
    }
}

/// <summary>A call of a <see cref="LinearKernel"/>: where rows are and go, and in how many pieces.</summary>
internal readonly record struct LinearWork(nint X, nint Y, int Rows, int Blocks, int Tasks, Residual Residual);
