using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Features;

/// <summary>Representations of sound, motion, shape and text that papers share, and samplers without a network.</summary>
internal static class FeatureParts
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        RotationPart.Architecture,
        HumanMl3dPart.Architecture,
        RayPart.Architecture,
        PoolingPart.Architecture,
        MelPart.Architecture,
        PitchPart.Architecture,
        MaskGitPart.Architecture,
        MarchingCubesPart.Architecture,
    ];

    /// <summary>Applies a function to every row of a tensor's last dimensions.</summary>
    public static Tensor<float> Rows(Tensor<float> input, int width, ReadOnlySpan<long> shape, Action<ReadOnlySpan<float>, Span<float>> function)
    {
        var rows = input.Length / width;
        var outWidth = 1;
        foreach (var extent in shape) outWidth *= (int)extent;
        var innerRank = width == 9 ? 2 : 1;
        long[] outShape = [.. input.Shape[..^innerRank], .. shape];
        var result = Tensor.Zeros<float>(outShape);
        for (var i = 0; i < rows; i++) function(input.Span.Slice(i * width, width), result.Span.Slice(i * outWidth, outWidth));
        return result;
    }

    /// <summary>A matrix as a tensor with a leading batch of one kind: (batch, rows, columns).</summary>
    public static Tensor Stack(IReadOnlyList<double[,]> matrices) =>
        Tensor.Create(matrices.SelectMany(m => m.Cast<double>()).ToArray(), matrices.Count, matrices[0].GetLength(0), matrices[0].GetLength(1));
}
