namespace ModelZoo.Inference.Kernels;

/// <summary>y = f(x W^T + b) over rows: x (M, K) -> (M, N).</summary>
/// <param name="weight">W.</param>
/// <param name="bias">b (N), or none.</param>
/// <param name="activation">f.</param>
internal sealed unsafe class LinearKernel(PackedMatrix weight, WeightData? bias, Activation activation) : CpuKernel
{
    // Rows of x that stay in a core's cache while panels of the weight go by.
    private const int RowsAtOnce = 20 * Tile.Rows;

    // Panels that a thread takes one after another, so that it knows the next.
    private const int PanelsAtOnce = 4;

    public override string Operator => KernelOperators.Linear;

    public override void Compute(KernelContext context)
    {
        var x = context.Input(0);
        var rows = checked((int)x.Shape[0]);
        if (x.Shape[1] != weight.Depth) throw new ArgumentException($"rows of {weight.Depth} are expected, not of {x.Shape[1]}");
        var y = context.Output(rows, weight.Columns);
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
        var padded = stackalloc float[Tile.Rows * Tile.Columns];
        var offsets = bias is null ? null : (float*)bias.Address + first;
        var next = (byte*)weight.Panel(Math.Min(panel + 1, weight.Panels - 1));
        nint step = Tile.Columns * sizeof(float) / ((rows + Tile.Rows - 1) / Tile.Rows);
        for (var row = 0; row < rows; row += Tile.Rows, next += step * weight.Depth)
        {
            var height = Math.Min(Tile.Rows, rows - row);
            var target = y + (nint)row * weight.Columns + first;
            var tile = columns == Tile.Columns ? target : padded;
            var stride = columns == Tile.Columns ? weight.Columns : Tile.Columns;
            Tile.Multiply<PackedPanel>(height, x + (nint)row * weight.Depth, weight.Depth, weight.Panel(panel), null, weight.Depth, tile, stride, add: false, new((nint)next, step));
            for (var i = 0; i < height; i++)
            {
                if (tile == padded) new Span<float>(padded + i * Tile.Columns, columns).CopyTo(new(target + (nint)i * weight.Columns, columns));
                Activations.Apply(activation, target + (nint)i * weight.Columns, offsets, columns);
            }
        }
    }
}
