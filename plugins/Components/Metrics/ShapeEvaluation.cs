using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>Shapes and motions against their originals.</summary>
internal static class ShapeEvaluation
{
    private const double Threshold = 0.02;

    public static IReadOnlyList<IMetric> All { get; } =
    [
        Cloud("chamfer-l1", false, "Mean of the mean distances to the nearest point, both ways (occupancy networks).", cloud => cloud.L1),
        Cloud("chamfer-l2", false, "Mean squared distances to the nearest point, both ways summed (pytorch3d).", cloud => cloud.L2),
        Cloud("f-score", true, "Harmonic mean of the shares of points within 0.02 of the other cloud.", cloud => cloud.FScore(Threshold)),
        new MeanMetric("mpjpe", "", false, "Mean joint position error relative to the root, over poses; motions of joint positions only.", o =>
            o is { Reference: Motion a, Output: Motion b } && a.Representation == b.Representation && a.Representation.StartsWith("joints-", StringComparison.Ordinal) && a.Features.Shape.SequenceEqual(b.Features.Shape)
                ? MotionMetrics.Mpjpe(Poses(a), Poses(b)).Average() : null),
        new MeanMetric("feature-l1", "", false, "Mean absolute difference of motion features.", o => o is { Reference: Motion a, Output: Motion b } && a.Features.Shape.SequenceEqual(b.Features.Shape)
            ? a.Features.Span.ToArray().Zip(b.Features.Span.ToArray(), (x, y) => Math.Abs((double)x - y)).Average() : null),
    ];

    private static MeanMetric Cloud(string name, bool higher, string description, Func<Chamfer, double> measure) => new(name, "", higher, description, o =>
        o is { Reference: Mesh { Vertices.Length: > 0 } truth, Output: Mesh { Vertices.Length: > 0 } points } ? measure(Chamfer.Of(points.Vertices.Span, truth.Vertices.Span)) : null);

    private static Tensor<float> Poses(Motion motion) => motion.Features.Reshape(motion.Features.Shape[0], motion.Features.Shape[1] / 3, 3);
}
