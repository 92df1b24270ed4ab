using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.DiT4SR;

/// <summary>How a made picture gets the colours of a given one.</summary>
public enum ColourFix
{
    /// <summary>It keeps its own.</summary>
    None,
    /// <summary>Mean and deviation of each channel are the given picture's (adaptive instance normalisation).</summary>
    Adain,
    /// <summary>Its fine parts on the given picture's coarse ones, by five wavelet levels.</summary>
    Wavelet,
}

/// <summary>The colour fixes of StableSR, which the authors' scripts end with.</summary>
internal static class Colours
{
    private const int Levels = 5;
    private const double Epsilon = 1e-5;

    /// <summary>A picture (C, H, W) with the colours of another of its size, within 0..1.</summary>
    public static Tensor<float> Fix(ColourFix fix, Tensor<float> picture, Tensor<float> source)
    {
        if (fix == ColourFix.None) return picture;
        var result = Tensor.Zeros<float>(picture.Shape);
        for (var channel = 0; channel < picture.Shape[0]; channel++)
        {
            var (own, given, target) = (picture.Slice(channel), source.Slice(channel), result.Slice(channel));
            if (fix == ColourFix.Adain) Normalize(own.Span, given.Span, target.Span);
            else Wavelet(own, given, target.Span);
        }

        for (var i = 0; i < result.Length; i++) result.Span[i] = Math.Clamp(result.Span[i], 0, 1);
        return result;
    }

    private static void Normalize(ReadOnlySpan<float> own, ReadOnlySpan<float> given, Span<float> target)
    {
        var ((mean, deviation), (givenMean, givenDeviation)) = (Moments(own), Moments(given));
        for (var i = 0; i < own.Length; i++) target[i] = (float)((own[i] - mean) / deviation * givenDeviation + givenMean);
    }

    private static (double Mean, double Deviation) Moments(ReadOnlySpan<float> values)
    {
        var (sum, squares) = (0.0, 0.0);
        foreach (var value in values) sum += value;
        var mean = sum / values.Length;
        foreach (var value in values) squares += (value - mean) * (value - mean);
        return (mean, Math.Sqrt(squares / (values.Length - 1) + Epsilon));
    }

    // own - blurred own + blurred given: what the levels take away adds up to the difference of first and last.
    private static void Wavelet(Tensor<float> own, Tensor<float> given, Span<float> target)
    {
        var (coarse, givenCoarse) = (own, given);
        for (var level = 0; level < Levels; level++) (coarse, givenCoarse) = (Blur(coarse, 1 << level), Blur(givenCoarse, 1 << level));
        for (var i = 0; i < target.Length; i++) target[i] = own.Span[i] - coarse.Span[i] + givenCoarse.Span[i];
    }

    // (1, 2, 1) / 4 along each side at a distance, edges repeated. x (H, W).
    private static Tensor<float> Blur(Tensor<float> x, int distance)
    {
        var (height, width) = ((int)x.Shape[0], (int)x.Shape[1]);
        var (across, result) = (Tensor.Zeros<float>(height, width), Tensor.Zeros<float>(height, width));
        for (var i = 0; i < x.Length; i++)
        {
            var (row, column) = (i / width * width, i % width);
            across.Span[i] = (x.Span[row + Math.Max(column - distance, 0)] + 2 * x.Span[i] + x.Span[row + Math.Min(column + distance, width - 1)]) / 4;
        }

        for (var i = 0; i < x.Length; i++)
        {
            var (row, column) = (i / width, i % width);
            result.Span[i] = (across.Span[Math.Max(row - distance, 0) * width + column] + 2 * across.Span[i] + across.Span[Math.Min(row + distance, height - 1) * width + column]) / 4;
        }

        return result;
    }
}
