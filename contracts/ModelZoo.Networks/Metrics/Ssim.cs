// Image Quality Assessment: From Error Visibility to Structural Similarity. Wang, Bovik, Sheikh, Simoncelli. IEEE TIP 13 (2004).
namespace ModelZoo.Networks.Metrics;

/// <summary>
/// Structural similarity of two planes, or two volumes. Libraries differ in the window, in the variance's divisor and in what they do at borders: pytorch-msssim counts whole neighbourhoods only, torchmetrics mirrors
/// the image, scikit-image mirrors it for the map and leaves the border out of the mean.
/// </summary>
/// <param name="Range">Difference between the largest and the smallest value that a pixel can take.</param>
/// <param name="Window">The neighbourhood.</param>
/// <param name="K1">Steadies the luminance term.</param>
/// <param name="K2">Steadies the contrast term.</param>
public sealed record Ssim(double Range, SeparableWindow Window, double K1 = 0.01, double K2 = 0.03)
{
    /// <summary>With the paper's window of planes: a Gaussian of 11 by 11 points and a deviation of 1.5.</summary>
    public Ssim(double range) : this(range, SeparableWindow.Gaussian([11, 11], [1.5, 1.5])) { }

    /// <summary>Points whose number less one divides variances (scikit-image's sample covariance); null divides by the number of all.</summary>
    public int? SampleSize { get; init; }

    /// <summary>What is mirrored to either side of each dimension; null is half a window.</summary>
    public int[]? Margins { get; init; }

    /// <summary>The window that torchmetrics and scikit-image give a Gaussian: 3.5 sigma to each side.</summary>
    public static int GaussianSize(double sigma) => (int)(3.5 * sigma + 0.5) * 2 + 1;

    /// <summary>Mean similarity and mean contrast term of whole neighbourhoods.</summary>
    /// <param name="a">(height, width), or a volume.</param>
    /// <param name="b">As <paramref name="a"/>.</param>
    /// <param name="extents">Extent of each dimension.</param>
    public (double Similarity, double Contrast) Mean(ReadOnlySpan<float> a, ReadOnlySpan<float> b, params int[] extents)
    {
        var (similarity, contrast, _) = Maps(a, b, values => Window.Valid(values, extents));
        return (similarity.Average(), contrast.Average());
    }

    /// <summary>Mean similarity over all pixels of the mirrored image, and mean contrast term without the margins (torchmetrics); not a number where nothing is left of it.</summary>
    public (double Similarity, double Contrast) MirroredMean(ReadOnlySpan<float> a, ReadOnlySpan<float> b, params int[] extents)
    {
        var (similarity, contrast, kept) = Mirrored(a, b, extents, repeatBorder: false);
        return (similarity.Average(), SeparableWindow.Inside(contrast, kept, Margins ?? Window.Margins).DefaultIfEmpty(double.NaN).Average());
    }

    /// <summary>The similarity at every pixel, the image mirrored, and the extents of that map.</summary>
    /// <param name="a">(height, width), or a volume.</param>
    /// <param name="b">As <paramref name="a"/>.</param>
    /// <param name="extents">Extent of each dimension.</param>
    /// <param name="repeatBorder">The border belongs to the image and to its mirror image both (scikit-image).</param>
    public (double[] Values, int[] Extents) Map(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int[] extents, bool repeatBorder)
    {
        var (similarity, _, kept) = Mirrored(a, b, extents, repeatBorder);
        return (similarity, kept);
    }

    /// <summary>Mean of a map without so many points at every side.</summary>
    public static double MeanOfMap(double[] map, int[] extents, int border) => SeparableWindow.Inside(map, extents, Array.ConvertAll(extents, _ => border)).Average();

    private (double[] Similarity, double[] Contrast, int[] Extents) Mirrored(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int[] extents, bool repeatBorder) =>
        Maps(a, b, values => Window.Mirrored(values, extents, Margins ?? Window.Margins, repeatBorder));

    private (double[] Similarity, double[] Contrast, int[] Extents) Maps(ReadOnlySpan<float> a, ReadOnlySpan<float> b, Func<double[], (double[] Values, int[] Extents)> filter)
    {
        var (x, y) = (new double[a.Length], new double[a.Length]);
        var (xx, yy, xy) = (new double[a.Length], new double[a.Length], new double[a.Length]);
        for (var i = 0; i < a.Length; i++) (x[i], y[i], xx[i], yy[i], xy[i]) = (a[i], b[i], (double)a[i] * a[i], (double)b[i] * b[i], (double)a[i] * b[i]);
        var (mx, extents) = filter(x);
        var (my, mxx, myy, mxy) = (filter(y).Values, filter(xx).Values, filter(yy).Values, filter(xy).Values);
        var (c1, c2) = (K1 * Range * (K1 * Range), K2 * Range * (K2 * Range));
        var norm = SampleSize is { } count ? count / (count - 1.0) : 1;
        var (similarity, contrast) = (new double[mx.Length], new double[mx.Length]);
        for (var i = 0; i < mx.Length; i++)
        {
            var (vx, vy, vxy) = (norm * (mxx[i] - mx[i] * mx[i]), norm * (myy[i] - my[i] * my[i]), norm * (mxy[i] - mx[i] * my[i]));
            contrast[i] = (2 * vxy + c2) / (vx + vy + c2);
            similarity[i] = (2 * mx[i] * my[i] + c1) / (mx[i] * mx[i] + my[i] * my[i] + c1) * contrast[i];
        }

        return (similarity, contrast, extents);
    }
}
