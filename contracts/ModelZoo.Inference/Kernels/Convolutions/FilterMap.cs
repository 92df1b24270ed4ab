namespace ModelZoo.Inference.Kernels;

/// <summary>
/// How a filter's weights stand in the rows of a product: a row has, for each input channel, its taps one after another. A transposed convolution of stride s makes s outputs of each place, each from inputs of its own: these are rows as well, and
/// what remains is a convolution of stride 1.
/// </summary>
internal sealed class FilterMap
{
    private readonly int[] _taps;
    private readonly bool _transposed;
    private readonly int _weights;

    private FilterMap(int outputs, int channels, ConvolutionAxis y, ConvolutionAxis x, int[] taps, bool transposed, int weights) =>
        (Outputs, Channels, Y, X, _taps, _transposed, _weights) = (outputs, channels, y, x, taps, transposed, weights);

    /// <summary>Output channels.</summary>
    public int Outputs { get; }

    /// <summary>Input channels.</summary>
    public int Channels { get; }

    /// <summary>The rows' convolution from top to bottom.</summary>
    public ConvolutionAxis Y { get; }

    /// <summary>The rows' convolution from left to right.</summary>
    public ConvolutionAxis X { get; }

    /// <summary>Rows of an output channel: outputs of a place.</summary>
    public int Parts => _taps.Length / Taps;

    /// <summary>Rows of the product.</summary>
    public int Rows => Outputs * Parts;

    /// <summary>Weights of a row for one input channel.</summary>
    public int Taps => Y.Kernel * X.Kernel;

    /// <summary>A convolution with a weight (outputs, channels, kernel y, kernel x).</summary>
    public static FilterMap Convolution(int outputs, int channels, ConvolutionAxis y, ConvolutionAxis x) =>
        new(outputs, channels, y, x, [.. Enumerable.Range(0, y.Kernel * x.Kernel)], transposed: false, y.Kernel * x.Kernel);

    /// <summary>A transposed convolution with a weight (channels, outputs, kernel y, kernel x).</summary>
    public static FilterMap Transposed(int outputs, int channels, ConvolutionAxis y, ConvolutionAxis x)
    {
        var (down, across) = (Inputs(y), Inputs(x));
        var taps =
            from part in Enumerable.Range(0, y.Stride * x.Stride)
            from tap in Enumerable.Range(0, down * across)
            let row = Weight(y, part / x.Stride, down - 1 - tap / across)
            let column = Weight(x, part % x.Stride, across - 1 - tap % across)
            select row < 0 || column < 0 ? -1 : row * x.Kernel + column;
        return new(outputs, channels, new(down, 1, 1), new(across, 1, 1), [.. taps], transposed: true, y.Kernel * x.Kernel);
    }

    /// <summary>Writes the weights of a row for some input channels.</summary>
    public unsafe void Copy(float* weights, int row, int channel, int count, float* to)
    {
        var (output, part) = (row / Parts, row % Parts);
        if (!_transposed)
        {
            new Span<float>(weights + ((nint)output * Channels + channel) * Taps, count * Taps).CopyTo(new(to, count * Taps));
            return;
        }

        var taps = _taps.AsSpan(part * Taps, Taps);
        for (var end = channel + count; channel < end; channel++)
        {
            var from = weights + ((nint)channel * Outputs + output) * _weights;
            foreach (var tap in taps) *to++ = tap < 0 ? 0 : from[tap];
        }
    }

    // Input i adds weight k to output i stride + k dilation: to part (k dilation) mod stride of a place that is (k dilation) / stride further on.
    private static int Inputs(ConvolutionAxis axis) => axis.Reach + 1;

    private static int Weight(ConvolutionAxis axis, int part, int further)
    {
        var reach = further * axis.Stride + part;
        return reach % axis.Dilation == 0 && reach / axis.Dilation < axis.Kernel ? reach / axis.Dilation : -1;
    }
}
