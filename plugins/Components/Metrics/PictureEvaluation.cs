using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>Pictures against their originals of the same size; videos frame by frame.</summary>
internal static class PictureEvaluation
{
    private const int PixelGrid = 8;
    private static readonly Ssim Structural = new(range: 1);

    public static IReadOnlyList<IMetric> All { get; } =
    [
        Picture("psnr", "dB", true, "Peak signal-to-noise ratio of each picture, averaged.", (a, b) => Psnr.Compute(a.Pixels.Span, b.Pixels.Span, 1)),
        Picture("ssim", "", true, "Structural similarity (Wang et al. 2004), Gaussian window of 11, channels averaged, as pytorch-msssim.", (a, b) => a.Height < 11 || a.Width < 11 ? null
            : Enumerable.Range(0, a.Channels).Average(c => Structural.Mean(a.Pixels.Slice(c).Span, b.Pixels.Slice(c).Span, a.Height, a.Width).Similarity)),
        Picture("ms-ssim", "", true, "Multi-scale structural similarity (Wang et al. 2003), as pytorch-msssim; pictures above 160 pixels.", (a, b) => Math.Min(a.Height, a.Width) <= 160 ? null
            : MsSsim.PerChannel(a.Pixels.Span, b.Pixels.Span, [a.Height, a.Width], Structural, MsSsim.PaperWeights)),
        Picture("l1", "", false, "Mean absolute difference of pixels.", (a, b) => Mean(a, b, Math.Abs)),
        Picture("mse", "", false, "Mean squared difference of pixels.", (a, b) => Mean(a, b, d => d * d)),
        new SetMetric<Pair>("pixel-fid@8", "", false, "Fréchet distance of pictures shrunk to 8x8 pixels; needs no network and is no substitute for FID.",
            o => o is { Reference: Image a, Output: Image b } && a.Channels == b.Channels ? new(Shrunk(a), Shrunk(b)) : null, FrechetOfPixels),
    ];

    private sealed record Pair(float[] Reference, float[] Output);

    private static MeanMetric Picture(string name, string unit, bool higher, string description, Func<Image, Image, double?> measure) => new(name, unit, higher, description, observation => observation switch
    {
        { Reference: Image a, Output: Image b } when a.Pixels.Shape.SequenceEqual(b.Pixels.Shape) => measure(b, a),
        { Reference: Video a, Output: Video b } when a.Frames.Shape[1..].SequenceEqual(b.Frames.Shape[1..]) => Enumerable.Range(0, (int)Math.Min(a.Frames.Shape[0], b.Frames.Shape[0]))
            .Select(t => measure(new(b.Frames.Slice(t)), new(a.Frames.Slice(t)))).DefaultIfEmpty(null).Average(),
        _ => null,
    });

    private static double Mean(Image a, Image b, Func<double, double> distance)
    {
        var x = a.Pixels.Span;
        var y = b.Pixels.Span;
        var sum = 0.0;
        for (var i = 0; i < x.Length; i++) sum += distance((double)x[i] - y[i]);
        return sum / x.Length;
    }

    // Means over equal parts of the picture.
    private static float[] Shrunk(Image image)
    {
        var (sums, counts) = (new float[image.Channels * PixelGrid * PixelGrid], new int[image.Channels * PixelGrid * PixelGrid]);
        for (var c = 0; c < image.Channels; c++)
        {
            for (var y = 0; y < image.Height; y++)
            {
                for (var x = 0; x < image.Width; x++)
                {
                    var cell = (c * PixelGrid + y * PixelGrid / image.Height) * PixelGrid + x * PixelGrid / image.Width;
                    sums[cell] += image.Pixels[c, y, x];
                    counts[cell]++;
                }
            }
        }

        return [.. sums.Zip(counts, (sum, count) => count == 0 ? 0 : sum / count)];
    }

    private static SetFigure? FrechetOfPixels(IReadOnlyList<Pair> pairs)
    {
        var width = pairs[0].Reference.Length;
        if (pairs.Count < 2 || pairs.Any(pair => pair.Reference.Length != width)) return null;
        return new(FrechetDistance.Compute(Statistics(pair => pair.Reference), Statistics(pair => pair.Output)));

        FeatureStatistics Statistics(Func<Pair, float[]> part) => FeatureStatistics.Of(Tensor.Create(pairs.SelectMany(part).ToArray(), pairs.Count, width));
    }
}
