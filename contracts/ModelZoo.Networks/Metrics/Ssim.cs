// Image Quality Assessment: From Error Visibility to Structural Similarity. Wang, Bovik, Sheikh, Simoncelli. IEEE TIP 13 (2004).
namespace ModelZoo.Networks.Metrics;

/// <summary>
/// Structural similarity of two planes. Libraries differ in the window, in the variance's divisor and in what they do at borders: pytorch-msssim counts whole neighbourhoods only, torchmetrics mirrors the image,
/// scikit-image mirrors it for the map and leaves the border out of the mean.
/// </summary>
/// <param name="Range">Difference between the largest and the smallest value that a pixel can take.</param>
/// <param name="WindowSize">Extent of the neighbourhood.</param>
/// <param name="Sigma">Of the Gaussian window; null for a uniform one.</param>
/// <param name="K1">Steadies the luminance term.</param>
/// <param name="K2">Steadies the contrast term.</param>
public sealed record Ssim(double Range, int WindowSize = 11, double? Sigma = 1.5, double K1 = 0.01, double K2 = 0.03)
{
    /// <summary>Divide variances by N - 1, as scikit-image does by default.</summary>
    public bool SampleCovariance { get; init; }

    /// <summary>The window that torchmetrics and scikit-image give a Gaussian: 3.5 sigma to each side.</summary>
    public static int GaussianSize(double sigma) => (int)(3.5 * sigma + 0.5) * 2 + 1;

    private Window2D Window => Sigma is { } sigma ? Window2D.Gaussian(WindowSize, sigma) : Window2D.Uniform(WindowSize);

    /// <summary>Mean similarity and mean contrast term of whole neighbourhoods.</summary>
    /// <param name="a">(height, width).</param>
    /// <param name="b">(height, width).</param>
    public (double Similarity, double Contrast) Mean(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int height, int width)
    {
        var window = Window;
        var (similarity, contrast) = Maps(a, b, plane => window.Valid(plane, height, width).Values);
        return (similarity.Average(), contrast.Average());
    }

    /// <summary>Mean similarity over all pixels of the mirrored image, and mean contrast term of whole neighbourhoods (torchmetrics).</summary>
    public (double Similarity, double Contrast) MirroredMean(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int height, int width)
    {
        var window = Window;
        return (Maps(a, b, plane => window.Mirrored(plane, height, width, repeatBorder: false)).Similarity.Average(), Mean(a, b, height, width).Contrast);
    }

    /// <summary>The similarity at every pixel, borders mirrored.</summary>
    public double[] Map(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int height, int width)
    {
        var window = Window;
        return Maps(a, b, plane => window.Mirrored(plane, height, width, repeatBorder: true)).Similarity;
    }

    /// <summary>Mean of a map without the border of half a window.</summary>
    public double MeanOfMap(double[] map, int height, int width)
    {
        var border = (WindowSize - 1) / 2;
        var sum = 0.0;
        for (var y = border; y < height - border; y++)
        {
            for (var x = border; x < width - border; x++) sum += map[y * width + x];
        }

        return sum / ((height - 2 * border) * (width - 2 * border));
    }

    private (double[] Similarity, double[] Contrast) Maps(ReadOnlySpan<float> a, ReadOnlySpan<float> b, Func<double[], double[]> filter)
    {
        var (x, y) = (new double[a.Length], new double[a.Length]);
        var (xx, yy, xy) = (new double[a.Length], new double[a.Length], new double[a.Length]);
        for (var i = 0; i < a.Length; i++) (x[i], y[i], xx[i], yy[i], xy[i]) = (a[i], b[i], (double)a[i] * a[i], (double)b[i] * b[i], (double)a[i] * b[i]);
        var (mx, my, mxx, myy, mxy) = (filter(x), filter(y), filter(xx), filter(yy), filter(xy));
        var (c1, c2) = (K1 * Range * (K1 * Range), K2 * Range * (K2 * Range));
        var count = WindowSize * WindowSize;
        var norm = SampleCovariance ? count / (count - 1.0) : 1;
        var (similarity, contrast) = (new double[mx.Length], new double[mx.Length]);
        for (var i = 0; i < mx.Length; i++)
        {
            var (vx, vy, vxy) = (norm * (mxx[i] - mx[i] * mx[i]), norm * (myy[i] - my[i] * my[i]), norm * (mxy[i] - mx[i] * my[i]));
            contrast[i] = (2 * vxy + c2) / (vx + vy + c2);
            similarity[i] = (2 * mx[i] * my[i] + c1) / (mx[i] * mx[i] + my[i] * my[i] + c1) * contrast[i];
        }

        return (similarity, contrast);
    }
}
