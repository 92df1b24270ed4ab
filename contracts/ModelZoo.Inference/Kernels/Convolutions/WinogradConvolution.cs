namespace ModelZoo.Inference.Kernels;

/// <summary>Pictures convolved with three by three taps by fewer products than there are terms; see <see cref="IWinogradForm"/>.</summary>
internal abstract class WinogradConvolution : IDisposable
{
    // Beyond this, factors for four outputs are too much memory for what they save: there are four times as many as weights.
    private const long LargestFactors = 16 << 20;

    /// <summary>The one for a weight (outputs, channels, 3, 3).</summary>
    public static WinogradConvolution Of(WeightData weight, WeightData? bias, ScratchPool scratch) =>
        WinogradFilters<WinogradFours>.Size(weight) <= LargestFactors ? new Form<WinogradFours>(weight, bias, scratch) : new Form<WinogradPairs>(weight, bias, scratch);

    /// <summary>Whether pictures of this size have places enough for the panels of a product.</summary>
    public abstract bool Pays(int height, int width);

    /// <summary>Convolves pictures at <paramref name="x"/> to <paramref name="y"/>.</summary>
    public abstract void Compute(KernelContext context, ConvolutionInput input, nint x, nint y, int batch, int height, int width);

    /// <inheritdoc/>
    public abstract void Dispose();

    private sealed class Form<TForm>(WeightData weight, WeightData? bias, ScratchPool scratch) : WinogradConvolution where TForm : struct, IWinogradForm
    {
        private const int FewestPlaces = 2 * Tile.Columns;
        private const int PlacesAtOnce = 128;

        private static readonly ConvolutionAxis Axis = new(TForm.Points, TForm.Outputs, 1);

        private readonly WinogradFilters<TForm> _filters = new(weight);

        public override bool Pays(int height, int width) => Squares(height) * Squares(width) >= FewestPlaces;

        public override void Compute(KernelContext context, ConvolutionInput input, nint x, nint y, int batch, int height, int width)
        {
            var places = PlacesAtOnce;
            while (places > Tile.Columns && batch * Squares(height) * Squares(width) / places < Environment.ProcessorCount) places /= 2;
            new WinogradRun<TForm>(_filters, bias, scratch, input, new(Axis, Axis, Squares(height), Squares(width), places), x, y, height, width).Compute(context, batch);
        }

        public override void Dispose() => _filters.Dispose();

        private static int Squares(int extent) => (extent + TForm.Outputs - 1) / TForm.Outputs;
    }
}
