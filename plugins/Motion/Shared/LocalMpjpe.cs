using System.Numerics.Tensors;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>Mean distance between joints of the reference and of the output in the frame of the root: its heading and its place on the floor do not count.</summary>
internal static class LocalMpjpe
{
    // The root's turn, its two velocities and its height stand before the joints, three numbers each.
    private const int FirstJoint = 4;

    /// <summary>The metric, in millimetres.</summary>
    public static IMetric Metric { get; } = new MeanMetric("local-mpjpe", "mm", HigherIsBetter: false,
        "Mean joint position error in the root's frame, over frames and all joints but the root (rotation-invariant positions of HumanML3D's features, Guo et al. 2022).", Measure);

    private static double? Measure(Observation observation)
    {
        if (observation is not { Reference: Contracts.Motion reference, Output: Contracts.Motion output } || reference.Representation != output.Representation || !reference.Representation.StartsWith("humanml3d-", StringComparison.Ordinal)) return null;
        var frames = (int)Math.Min(reference.Features.Shape[0], output.Features.Shape[0]);
        var joints = ((int)reference.Features.Shape[1] + 1) / 12 - 1;
        var sum = 0.0;
        for (var frame = 0; frame < frames; frame++)
        {
            ReadOnlySpan<float> a = reference.Features.Slice(frame).Span[FirstJoint..], b = output.Features.Slice(frame).Span[FirstJoint..];
            for (var joint = 0; joint < joints; joint++) sum += TensorPrimitives.Distance(a.Slice(3 * joint, 3), b.Slice(3 * joint, 3));
        }

        return frames == 0 ? null : 1000 * sum / (frames * joints);
    }
}
