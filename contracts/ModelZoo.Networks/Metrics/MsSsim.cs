// Multi-scale Structural Similarity for Image Quality Assessment. Wang, Simoncelli, Bovik. Asilomar 2003.
namespace ModelZoo.Networks.Metrics;

/// <summary>Structural similarity over scales: contrast at every scale but the last, similarity at the last, each to its power, multiplied.</summary>
public static class MsSsim
{
    /// <summary>The paper's exponents.</summary>
    public static IReadOnlyList<double> PaperWeights { get; } = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

    /// <summary>As pytorch-msssim: per channel, negative terms count as zero; odd extents are padded by zeros when halved. The mean over channels.</summary>
    /// <param name="a">(channels, ..extents).</param>
    /// <param name="b">As <paramref name="a"/>.</param>
    /// <param name="extents">Height and width, or those of a volume.</param>
    /// <param name="ssim">How each scale is compared.</param>
    /// <param name="weights">The exponent of each scale.</param>
    public static double PerChannel(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int[] extents, Ssim ssim, IReadOnlyList<double> weights)
    {
        var (size, total) = (extents.Aggregate(1, (m, n) => m * n), 0.0);
        for (var start = 0; start < a.Length; start += size)
        {
            var (x, y, kept) = (a.Slice(start, size).ToArray(), b.Slice(start, size).ToArray(), extents);
            var product = 1.0;
            for (var scale = 0; scale < weights.Count; scale++)
            {
                var (similarity, contrast) = ssim.Mean(x, y, kept);
                product *= Math.Pow(Math.Max(0, scale == weights.Count - 1 ? similarity : contrast), weights[scale]);
                if (scale == weights.Count - 1) break;
                int[] margins = Array.ConvertAll(kept, n => n % 2), halved = Array.ConvertAll(kept, n => (n + 2 * (n % 2)) / 2);
                (x, y) = (Halve(x, kept, halved, margins), Halve(y, kept, halved, margins));
                kept = halved;
            }

            total += product;
        }

        return total / (a.Length / size);
    }

    /// <summary>As torchmetrics, of one image: terms are means over channels; an odd last row or column is dropped when halved.</summary>
    /// <param name="a">(channels, ..extents).</param>
    /// <param name="b">As <paramref name="a"/>.</param>
    /// <param name="extents">Height and width, or those of a volume.</param>
    /// <param name="scales">How each scale is compared, what is done to its pixels before, and its exponent.</param>
    /// <param name="normalize"><c>relu</c>, <c>simple</c> ((x + 1) / 2) or null.</param>
    public static double PerImage(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int[] extents, IReadOnlyList<MsSsimScale> scales, string? normalize)
    {
        var (x, y, kept, product) = (a.ToArray(), b.ToArray(), extents, 1.0);
        for (var scale = 0; scale < scales.Count; scale++)
        {
            var (ssim, clamp, weight) = scales[scale];
            var size = kept.Aggregate(1, (m, n) => m * n);
            var (similarity, contrast, channels) = (0.0, 0.0, x.Length / size);
            float[] seenX = clamp is null ? x : Array.ConvertAll(x, clamp), seenY = clamp is null ? y : Array.ConvertAll(y, clamp);
            for (var c = 0; c < channels; c++)
            {
                var (s, k) = ssim.MirroredMean(seenX.AsSpan(c * size, size), seenY.AsSpan(c * size, size), kept);
                (similarity, contrast) = (similarity + s / channels, contrast + k / channels);
            }

            var term = scale == scales.Count - 1 ? similarity : contrast;
            product *= Math.Pow(normalize switch { "relu" => Math.Max(0, term), "simple" => (term + 1) / 2, _ => term }, weight);
            (x, y) = (Halve(x, kept), Halve(y, kept));
            kept = Array.ConvertAll(kept, n => n / 2);
        }

        return product;
    }

    /// <summary>Planes or volumes one after the other at half their extents, an odd last row or column dropped.</summary>
    public static float[] Halve(float[] planes, int[] extents)
    {
        var size = extents.Aggregate(1, (m, n) => m * n);
        return [.. planes.Chunk(size).SelectMany(plane => Halve(plane, extents, Array.ConvertAll(extents, n => n / 2), new int[extents.Length]))];
    }

    // Means of cubes of 2 points along each dimension that start so many points before the plane; what lies outside is zero and counts.
    private static float[] Halve(float[] plane, int[] extents, int[] halved, int[] margins)
    {
        var result = new float[halved.Aggregate(1, (m, n) => m * n)];
        for (var i = 0; i < result.Length; i++)
        {
            var sum = 0.0;
            for (var corner = 0; corner < 1 << extents.Length; corner++)
            {
                var (at, rest, stride, inside) = (0, i, 1, true);
                for (var axis = extents.Length - 1; axis >= 0; axis--)
                {
                    var place = rest % halved[axis] * 2 + (corner >> axis & 1) - margins[axis];
                    inside &= place >= 0 && place < extents[axis];
                    at += place * stride;
                    (rest, stride) = (rest / halved[axis], stride * extents[axis]);
                }

                if (inside) sum += plane[at];
            }

            result[i] = (float)(sum / (1 << extents.Length));
        }

        return result;
    }
}

/// <summary>A scale of multi-scale similarity.</summary>
/// <param name="Ssim">How it is compared.</param>
/// <param name="Clamp">What is done to its pixels first; null for nothing.</param>
/// <param name="Weight">Its exponent.</param>
public readonly record struct MsSsimScale(Ssim Ssim, Converter<float, float>? Clamp, double Weight);
