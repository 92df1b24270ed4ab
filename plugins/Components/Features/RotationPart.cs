using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;
using static ModelZoo.Plugins.Components.Features.FeatureParts;

namespace ModelZoo.Plugins.Components.Features;

/// <summary>Conversions between forms of rotations, as in pytorch3d and HumanML3D.</summary>
internal static class RotationPart
{
    private static readonly long[] Square = [3, 3];

    public static ModelArchitecture Architecture { get; } = ComputedPart.Architecture("components/rotation-conversions", "Accelerating 3D Deep Learning with PyTorch3D", "facebookresearch/pytorch3d", Modality.Tensors,
        ("axis_angle_to_quaternion", a => Convert(a, "axis_angle", 3, "quaternion", [4], (x, y) => AxisAngle.ToQuaternion(Vector3D.Read(x)).Write(y))),
        ("axis_angle_to_matrix", a => Convert(a, "axis_angle", 3, "matrix", Square, (x, y) => RotationMatrix.From(AxisAngle.ToQuaternion(Vector3D.Read(x))).Write(y))),
        ("quaternion_to_matrix", a => Convert(a, "quaternion", 4, "matrix", Square, (x, y) => RotationMatrix.From(QuaternionD.Read(x)).Write(y))),
        ("quaternion_to_axis_angle", a => Convert(a, "quaternion", 4, "axis_angle", [3], (x, y) => AxisAngle.From(QuaternionD.Read(x)).Write(y))),
        ("matrix_to_quaternion", a => Convert(a, "matrix", 9, "quaternion", [4], (x, y) => RotationMatrix.Read(x).ToQuaternion().Write(y))),
        ("matrix_to_axis_angle", a => Convert(a, "matrix", 9, "axis_angle", [3], (x, y) => AxisAngle.From(RotationMatrix.Read(x).ToQuaternion()).Write(y))),
        ("standardize_quaternion", a => Convert(a, "quaternion", 4, "quaternion", [4], (x, y) => QuaternionD.Read(x).Standardized.Write(y))),
        ("quaternion_multiply", a => Pair(a, "a", 4, "b", 4, "quaternion", 4, (x, y, z) => (QuaternionD.Read(x) * QuaternionD.Read(y)).Standardized.Write(z))),
        ("quaternion_raw_multiply", a => Pair(a, "a", 4, "b", 4, "quaternion", 4, (x, y, z) => (QuaternionD.Read(x) * QuaternionD.Read(y)).Write(z))),
        ("quaternion_invert", a => Convert(a, "quaternion", 4, "quaternion", [4], (x, y) => QuaternionD.Read(x).Conjugate.Write(y))),
        ("quaternion_apply", a => Pair(a, "quaternion", 4, "point", 3, "point", 3, (x, y, z) =>
        {
            // The product q p q*, which is a rotation only where q has length 1.
            var (q, p) = (QuaternionD.Read(x), Vector3D.Read(y));
            (q * new QuaternionD(0, p.X, p.Y, p.Z) * q.Conjugate).Imaginary.Write(z);
        })),
        ("rotation_6d_to_matrix", a => Convert(a, "rotation_6d", 6, "matrix", Square, (x, y) => RotationMatrix.FromRows(Vector3D.Read(x), Vector3D.Read(x[3..])).Write(y))),
        ("matrix_to_rotation_6d", a => Convert(a, "matrix", 9, "rotation_6d", [6], (x, y) => x[..6].CopyTo(y))),
        ("euler_angles_to_matrix", a => Named(a, "convention", convention => Convert(a, "euler_angles", 3, "matrix", Square, (x, y) => EulerAngles.ToMatrix(Vector3D.Read(x), convention).Write(y)))),
        ("matrix_to_euler_angles", a => Named(a, "convention", convention => Convert(a, "matrix", 9, "euler_angles", [3], (x, y) => EulerAngles.FromMatrix(RotationMatrix.Read(x), convention).Write(y)))),
        ("cont6d_to_matrix", a => Convert(a, "cont6d", 6, "matrix", Square, (x, y) => RotationMatrix.FromColumns(Vector3D.Read(x), Vector3D.Read(x[3..])).Write(y))),
        ("quaternion_to_cont6d", a => Convert(a, "quaternion", 4, "cont6d", [6], (x, y) =>
        {
            var matrix = RotationMatrix.From(QuaternionD.Read(x));
            matrix.C0.Write(y);
            matrix.C1.Write(y[3..]);
        })),
        ("cont6d_to_quat", a => Convert(a, "cont6d", 6, "quaternion", [4], (x, y) => RotationMatrix.FromColumns(Vector3D.Read(x), Vector3D.Read(x[3..])).ToQuaternionByLargePart().Write(y))),
        ("qslerp", Slerp),
        ("qbetween", a => Pair(a, "v0", 3, "v1", 3, "quaternion", 4, (x, y, z) => QuaternionD.Between(Vector3D.Read(x), Vector3D.Read(y)).Write(z))),
        ("qrot", a => Pair(a, "quaternion", 4, "point", 3, "point", 3, (x, y, z) => QuaternionD.Read(x).Rotate(Vector3D.Read(y)).Write(z))),
        ("qinv", a => Convert(a, "quaternion", 4, "quaternion", [4], (x, y) => QuaternionD.Read(x).Conjugate.Write(y))),
        ("qmul", a => Pair(a, "a", 4, "b", 4, "quaternion", 4, (x, y, z) => (QuaternionD.Read(x) * QuaternionD.Read(y)).Write(z))),
        ("qeuler", a => Named(a, "order", order => Convert(a, "quaternion", 4, "euler_degrees", [3], (x, y) => EulerAngles.FromQuaternion(QuaternionD.Read(x), order).Write(y)))),
        ("euler2quat", a => Named(a, "order", order => Convert(a, "euler_degrees", 3, "quaternion", [4], (x, y) => EulerAngles.ToQuaternion(Vector3D.Read(x), order).Write(y)))));

    private static CallResults Named(CallArguments arguments, string option, Func<string, CallResults> compute) => compute(arguments.Literal<string>(option));

    private static CallResults Convert(CallArguments arguments, string input, int width, string output, long[] shape, Action<ReadOnlySpan<float>, Span<float>> function) =>
        new CallResults().Add(output, Rows(arguments.Tensor<float>(input), width, shape, function));

    private delegate void Binary(ReadOnlySpan<float> first, ReadOnlySpan<float> second, Span<float> result);

    private static CallResults Pair(CallArguments arguments, string first, int firstWidth, string second, int secondWidth, string output, int width, Binary function)
    {
        var (a, b) = (arguments.Tensor<float>(first), arguments.Tensor<float>(second));
        var (rows, others) = (a.Length / firstWidth, b.Length / secondWidth);

        // The shorter one is repeated.
        long[] shape = [.. rows < others ? b.Shape[..^1] : a.Shape[..^1], width];
        var result = Tensor.Zeros<float>(shape);
        for (var i = 0; i < Math.Max(rows, others); i++)
            function(a.Span.Slice(i % rows * firstWidth, firstWidth), b.Span.Slice(i % others * secondWidth, secondWidth), result.Span.Slice(i * width, width));
        return new CallResults().Add(output, result);
    }

    // q0 and q1 (.., 4) at each time.
    private static CallResults Slerp(CallArguments arguments)
    {
        var (from, to, times) = (arguments.Tensor<float>("q0"), arguments.Tensor<float>("q1"), arguments.Tensor<float>("t"));
        var result = Tensor.Zeros<float>([.. times.Shape, .. from.Shape]);
        for (var i = 0; i < result.Length; i += 4)
            QuaternionD.Slerp(QuaternionD.Read(from.Span[(i % from.Length)..]), QuaternionD.Read(to.Span[(i % to.Length)..]), times.Span[i / from.Length]).Write(result.Span[i..]);
        return new CallResults().Add("quaternion", result);
    }
}
