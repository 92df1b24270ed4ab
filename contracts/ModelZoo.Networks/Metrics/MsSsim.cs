// Multi-scale Structural Similarity for Image Quality Assessment. Wang, Simoncelli, Bovik. Asilomar 2003.
namespace ModelZoo.Networks.Metrics;

/// <summary>Structural similarity over scales: contrast at every scale but the last, similarity at the last, each to its power, multiplied.</summary>
public static class MsSsim
{
    /// <summary>The paper's exponents.</summary>
    public static IReadOnlyList<double> PaperWeights { get; } = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

    /// <summary>As pytorch-msssim: per channel, negative terms count as zero; odd extents are padded by zeros when halved. The mean over channels.</summary>
    /// <param name="a">(channels, height, width).</param>
    /// <param name="b">(channels, height, width).</param>
    public static double PerChannel(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int channels, int height, int width, Ssim ssim, IReadOnlyList<double> weights)
    {
        var total = 0.0;
        for (var c = 0; c < channels; c++)
        {
            var (x, y, h, w) = (a.Slice(c * height * width, height * width).ToArray(), b.Slice(c * height * width, height * width).ToArray(), height, width);
            var product = 1.0;
            for (var scale = 0; scale < weights.Count; scale++)
            {
                var (similarity, contrast) = ssim.Mean(x, y, h, w);
                product *= Math.Pow(Math.Max(0, scale == weights.Count - 1 ? similarity : contrast), weights[scale]);
                if (scale == weights.Count - 1) break;
                var (newH, newW) = ((h + 2 * (h % 2)) / 2, (w + 2 * (w % 2)) / 2);
                (x, y) = (Halve(x, h, w, newH, newW, h % 2, w % 2), Halve(y, h, w, newH, newW, h % 2, w % 2));
                (h, w) = (newH, newW);
            }

            total += product;
        }

        return total / channels;
    }

    /// <summary>As torchmetrics: terms are means over channels; an odd last row or column is dropped when halved.</summary>
    /// <param name="normalize"><c>relu</c>, <c>simple</c> ((x + 1) / 2) or null.</param>
    public static double PerImage(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int channels, int height, int width, Ssim ssim, IReadOnlyList<double> weights, string? normalize)
    {
        var (x, y, h, w) = (a.ToArray(), b.ToArray(), height, width);
        var product = 1.0;
        for (var scale = 0; scale < weights.Count; scale++)
        {
            var (similarity, contrast) = (0.0, 0.0);
            for (var c = 0; c < channels; c++)
            {
                var (s, k) = ssim.MirroredMean(x.AsSpan(c * h * w, h * w), y.AsSpan(c * h * w, h * w), h, w);
                (similarity, contrast) = (similarity + s / channels, contrast + k / channels);
            }

            var term = scale == weights.Count - 1 ? similarity : contrast;
            product *= Math.Pow(normalize switch { "relu" => Math.Max(0, term), "simple" => (term + 1) / 2, _ => term }, weights[scale]);
            var (newH, newW) = (h / 2, w / 2);
            var (halfX, halfY) = (new float[channels * newH * newW], new float[channels * newH * newW]);
            for (var c = 0; c < channels; c++)
            {
                Halve(x.AsSpan(c * h * w, h * w), h, w, newH, newW, 0, 0).CopyTo(halfX, c * newH * newW);
                Halve(y.AsSpan(c * h * w, h * w), h, w, newH, newW, 0, 0).CopyTo(halfY, c * newH * newW);
            }

            (x, y, h, w) = (halfX, halfY, newH, newW);
        }

        return product;
    }

    // Means of 2x2 squares that start padY, padX before the plane; what lies outside is zero and counts.
    private static float[] Halve(ReadOnlySpan<float> plane, int height, int width, int newHeight, int newWidth, int padY, int padX)
    {
        var result = new float[newHeight * newWidth];
        for (var y = 0; y < newHeight; y++)
        {
            for (var x = 0; x < newWidth; x++)
            {
                var sum = 0.0;
                for (var dy = 0; dy < 2; dy++)
                {
                    for (var dx = 0; dx < 2; dx++)
                    {
                        var (py, px) = (2 * y + dy - padY, 2 * x + dx - padX);
                        if (py >= 0 && py < height && px >= 0 && px < width) sum += plane[py * width + px];
                    }
                }

                result[y * newWidth + x] = (float)(sum / 4);
            }
        }

        return result;
    }
}
