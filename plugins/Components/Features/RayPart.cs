using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Plugins.Components.Features;

/// <summary>Camera rays and their Plücker coordinates.</summary>
internal static class RayPart
{
    public static ModelArchitecture Architecture { get; } = ComputedPart.Architecture("components/plucker-rays", "LVSM: A Large View Synthesis Model with Minimal 3D Inductive Bias", "Haian-Jin/LVSM", Modality.Tensors,
        ("compute_rays", ComputeRays), ("get_posed_input", PosedInput));

    private static CallResults ComputeRays(CallArguments arguments)
    {
        var (cameras, intrinsics, height, width) = (arguments.Tensor<float>("c2w"), arguments.Tensor<float>("fxfycxcy"), arguments.Literal<int>("height"), arguments.Literal<int>("width"));
        long[] shape = [.. cameras.Shape[..^2], 3, height, width];
        var (origins, directions) = (Tensor.Zeros<float>(shape), Tensor.Zeros<float>(shape));
        var size = height * width;
        for (var camera = 0; camera < cameras.Length / 16; camera++)
        {
            for (var pixel = 0; pixel < size; pixel++)
            {
                var (origin, direction) = CameraRays.Through(cameras.Span.Slice(16 * camera, 16), intrinsics.Span.Slice(4 * camera, 4), pixel / width, pixel % width);
                Write(origin, origins.Span[(3 * camera * size)..], pixel, size);
                Write(direction, directions.Span[(3 * camera * size)..], pixel, size);
            }
        }

        return new CallResults().Add("ray_origin", origins).Add("ray_direction", directions);
    }

    private static CallResults PosedInput(CallArguments arguments)
    {
        var (origins, directions, method) = (arguments.Tensor<float>("ray_o"), arguments.Tensor<float>("ray_d"), arguments.Literal("method", "default_plucker"));
        var size = (int)(origins.Shape[^1] * origins.Shape[^2]);
        var parts = method == "aug_plucker" ? 3 : 2;
        long[] shape = [.. origins.Shape[..^3], 3 * parts, .. origins.Shape[^2..]];
        var result = Tensor.Zeros<float>(shape);
        for (var view = 0; view < origins.Length / (3 * size); view++)
        {
            for (var pixel = 0; pixel < size; pixel++)
            {
                var (o, d) = (Read(origins.Span[(3 * view * size)..], pixel, size), Read(directions.Span[(3 * view * size)..], pixel, size));
                Vector3D[] coordinates = method switch
                {
                    "default_plucker" => [CameraRays.Moment(o, d), d],
                    "custom_plucker" => [d, CameraRays.Nearest(o, d)],
                    "aug_plucker" => [CameraRays.Moment(o, d), d, CameraRays.Nearest(o, d)],
                    _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, "No such parameterisation of rays.") { Where = "method", Found = method },
                };
                for (var i = 0; i < parts; i++) Write(coordinates[i], result.Span[(3 * (parts * view + i) * size)..], pixel, size);
            }
        }

        return new CallResults().Add(method, result);
    }

    // Coordinates lie in planes of one after the other.
    private static Vector3D Read(ReadOnlySpan<float> planes, int pixel, int size) => new(planes[pixel], planes[size + pixel], planes[2 * size + pixel]);

    private static void Write(Vector3D v, Span<float> planes, int pixel, int size) => (planes[pixel], planes[size + pixel], planes[2 * size + pixel]) = ((float)v.X, (float)v.Y, (float)v.Z);
}
