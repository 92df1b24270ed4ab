using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Mean and deviation of each colour over a data set, by which pictures in 0..1 are standardised.</summary>
/// <param name="Mean">Red, green, blue.</param>
/// <param name="Deviation">Red, green, blue.</param>
internal sealed record ChannelStatistics(float[] Mean, float[] Deviation)
{
    /// <summary>Those that CLIP was trained with.</summary>
    public static ChannelStatistics Clip { get; } = new([0.48145466f, 0.4578275f, 0.40821073f], [0.26862954f, 0.26130258f, 0.27577711f]);

    /// <summary>Those of ImageNet.</summary>
    public static ChannelStatistics ImageNet { get; } = new([0.485f, 0.456f, 0.406f], [0.229f, 0.224f, 0.225f]);
}

internal static class ChannelStatisticsExtensions
{
    /// <summary>(x - mean) / deviation of each colour. picture (B, 3, H, W) in 0..1 -> the same shape.</summary>
    public static Tensor<float> Standardized(this Tensor<float> picture, ChannelStatistics statistics)
    {
        var result = Tensor.Zeros<float>(picture.Shape);
        var plane = (int)(picture.Shape[2] * picture.Shape[3]);
        for (var i = 0; i < result.Length; i++)
        {
            var colour = i / plane % 3;
            result.Span[i] = (picture.Span[i] - statistics.Mean[colour]) / statistics.Deviation[colour];
        }

        return result;
    }
}
