namespace ModelZoo.Inference.Kernels;

/// <summary>y = f(x W^T + b) over the last dimension: x (.., K) -> (.., N), or in the shape that a second input names.</summary>
/// <param name="weight">W.</param>
/// <param name="bias">b (N), or none.</param>
/// <param name="activation">f.</param>
/// <param name="literalShape">Whether 0 in a given shape means 0.</param>
internal sealed unsafe class LinearKernel(PackedMatrix weight, WeightData? bias, Activation activation, bool literalShape) : CpuKernel
{
    // Rows of x that stay in a core's second cache while panels of the weight go by.
    private const int RowsAtOnce = 20 * Tile.Rows;

    // Panels that a thread takes one after another, so that it knows the next.
    private const int PanelsAtOnce = 4;

    public override string Operator => KernelOperators.Linear;

    public override void Compute(KernelContext context)
    {
        var x = context.Input(0);
        var rows = checked((int)(x.Count / weight.Depth));
        if (x.Count % weight.Depth != 0) throw new ArgumentException($"rows of {weight.Depth} are expected, in [{string.Join(", ", x.Shape)}]");
        var y = context.Output(context.InputCount > 1 ? context.TargetShape(1, rows, weight.Columns, literalShape) : [rows, weight.Columns]);
        if (rows == 0) return;
        weight.Ready(context);

        var blocks = (rows + RowsAtOnce - 1) / RowsAtOnce;
        var runs = (weight.Panels + PanelsAtOnce - 1) / PanelsAtOnce;
        var (from, to) = ((nint)x.Data, (nint)y.Data);
        context.For(blocks * runs, task =>
        {
            var first = task % blocks * RowsAtOnce;
            var end = Math.Min((task / blocks + 1) * PanelsAtOnce, weight.Panels);
            for (var panel = task / blocks * PanelsAtOnce; panel < end; panel++)
                Multiply((float*)from + (nint)first * weight.Depth, Math.Min(RowsAtOnce, rows - first), panel, (float*)to + (nint)first * weight.Columns);
        });
    }

    public override void Dispose() => weight.Dispose();

    // A panel's columns of some rows; the next panel comes from memory meanwhile.
    private void Multiply(float* x, int rows, int panel, float* y)
    {
        var first = panel * Tile.Columns;
        var columns = Math.Min(Tile.Columns, weight.Columns - first);
        var offsets = bias is null ? null : (float*)bias.Address + first;
        var edge = columns < Tile.Columns;
        var padded = stackalloc float[(Tile.Rows + 1) * Tile.Columns];                               // at the right edge: a tile, and its biases
        if (edge && offsets is not null)
        {
            var paddedOffsets = padded + Tile.Rows * Tile.Columns;
            new Span<float>(offsets, columns).CopyTo(new(paddedOffsets, columns));
            offsets = paddedOffsets;
        }

        var next = (byte*)weight.Panel(Math.Min(panel + 1, weight.Panels - 1));
        nint step = Tile.Columns * sizeof(float) / ((rows + Tile.Rows - 1) / Tile.Rows);
        for (var row = 0; row < rows; row += Tile.Rows, next += step * weight.Depth)
        {
            var height = Math.Min(Tile.Rows, rows - row);
            var target = y + (nint)row * weight.Columns + first;
            var tile = edge ? padded : target;
            nint stride = edge ? Tile.Columns : weight.Columns;
            Tile.Multiply<PackedPanel>(height, x + (nint)row * weight.Depth, weight.Depth, weight.Panel(panel), null, weight.Depth, tile, stride, add: false, new((nint)next, step));
            Activations.Finish(activation, tile, stride, height, offsets);
            if (!edge) continue;
            for (var i = 0; i < height; i++) new Span<float>(padded + i * Tile.Columns, columns).CopyTo(new(target + (nint)i * weight.Columns, columns));
        }
    }
}
