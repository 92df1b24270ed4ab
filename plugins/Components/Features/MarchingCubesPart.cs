using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Plugins.Components.Features;

/// <summary>Surfaces of volumes.</summary>
internal static class MarchingCubesPart
{
    public static ModelArchitecture Architecture { get; } = ComputedPart.Architecture("components/marching-cubes", "Efficient implementation of Marching Cubes cases with topological guarantees", "scikit-image/scikit-image", Modality.Mesh,
        ("marching_cubes", Extract));

    private static CallResults Extract(CallArguments arguments)
    {
        var (volume, method, direction) = (arguments.Tensor<float>("volume"), arguments.Literal("method", "lewiner"), arguments.Literal("gradient_direction", "descent"));
        if (method is not ("lewiner" or "lorensen")) throw new ModelZooException(ErrorCodes.VerbUnsupported, "No such method.") { Where = "method", Expected = "lewiner, lorensen", Found = method };
        _ = arguments.Literal("field", ""); // the case's own name for the volume
        var spacing = arguments.Literal<double[]>("spacing", [1, 1, 1]);
        var cubes = new MarchingCubes
        {
            Spacing = (spacing[0], spacing[1], spacing[2]), Descent = direction == "descent", Classic = method == "lorensen",
            Step = arguments.Literal("step_size", 1), AllowDegenerate = arguments.Literal("allow_degenerate", true),
        };
        var values = volume.Span.ToArray();
        var (vertices, faces) = cubes.Extract(volume, arguments.Literal<double?>("level", null) ?? 0.5 * ((double)values.Min() + values.Max()));
        var sorted = vertices.OrderBy(v => Rounded(v[0])).ThenBy(v => Rounded(v[1])).ThenBy(v => Rounded(v[2]));
        return new CallResults().Add("vertices_sorted", Rows(sorted)).Add("faces", Tensor.Create(faces.SelectMany(f => f.Select(i => (long)i)).ToArray(), faces.Length, 3)).Add("vertices", Rows(vertices))
            .Add("counts", Tensor.Create(new long[] { vertices.Length, faces.Length }, 2))
            .Add("surface_area", MarchingCubes.Area(vertices, faces)).Add("signed_volume", MarchingCubes.Volume(vertices, faces));

        // NumPy's rounding to 1e-5, of single precision unless the library has multiplied by a spacing.
        double Rounded(double x) => cubes.Spacing == (1, 1, 1) ? MathF.Round((float)x * 1e5f) / 1e5f : Math.Round(x * 1e5) / 1e5;

        Tensor Rows(IEnumerable<double[]> rows) => Tensor.Create(rows.SelectMany(row => row).ToArray(), vertices.Length, 3);
    }
}
