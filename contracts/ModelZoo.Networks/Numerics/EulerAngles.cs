namespace ModelZoo.Networks.Numerics;

/// <summary>Rotations as angles about three axes.</summary>
public static class EulerAngles
{
    /// <summary>The product of rotations about the convention's axes, such as <c>XYZ</c>, in that order; radians.</summary>
    public static RotationMatrix ToMatrix(Vector3D angles, string convention) => About(convention[0], angles.X) * About(convention[1], angles.Y) * About(convention[2], angles.Z);

    /// <summary>Angles in radians of a matrix, as pytorch3d chooses them.</summary>
    public static Vector3D FromMatrix(RotationMatrix m, string convention)
    {
        int i0 = Axis(convention[0]), i2 = Axis(convention[2]);
        var taitBryan = i0 != i2;
        var central = taitBryan ? Math.Asin(m[i0, i2] * (i0 - i2 is -1 or 2 ? -1 : 1)) : Math.Acos(m[i0, i0]);
        var column = new Vector3D(m[0, i2], m[1, i2], m[2, i2]);
        var row = new Vector3D(m[i0, 0], m[i0, 1], m[i0, 2]);
        return new(FromTangent(convention[0], convention[1], column, false, taitBryan), central, FromTangent(convention[2], convention[1], row, true, taitBryan));
    }

    /// <summary>Angles in degrees of a unit quaternion, listed in the order's axes, as HumanML3D computes them.</summary>
    /// <exception cref="ArgumentException">The order is not one of the six of three different axes.</exception>
    public static Vector3D FromQuaternion(QuaternionD q, string order, double epsilon = 0)
    {
        var (w, x, y, z) = q;
        var (ax, ay, az) = order switch
        {
            "xyz" => (Tangent(w * x - y * z, x * x + y * y), Sine(x * z + w * y), Tangent(w * z - x * y, y * y + z * z)),
            "yzx" => (Tangent(w * x - y * z, x * x + z * z), Tangent(w * y - x * z, y * y + z * z), Sine(x * y + w * z)),
            "zxy" => (Sine(w * x + y * z), Tangent(w * y - x * z, x * x + y * y), Tangent(w * z - x * y, x * x + z * z)),
            "xzy" => (Tangent(w * x + y * z, x * x + z * z), Tangent(w * y + x * z, y * y + z * z), Sine(w * z - x * y)),
            "yxz" => (Sine(w * x - y * z), Tangent(x * z + w * y, x * x + y * y), Tangent(x * y + w * z, x * x + z * z)),
            "zyx" => (Tangent(w * x + y * z, x * x + y * y), Sine(w * y - x * z), Tangent(w * z + x * y, y * y + z * z)),
            _ => throw new ArgumentException($"'{order}' is not an order of x, y and z.", nameof(order)),
        };
        return 180 / Math.PI * new Vector3D(Of(order[0]), Of(order[1]), Of(order[2]));

        static double Tangent(double sine, double squares) => Math.Atan2(2 * sine, 1 - 2 * squares);
        double Sine(double half) => Math.Asin(Math.Clamp(2 * half, -1 + epsilon, 1 - epsilon));
        double Of(char axis) => axis == 'x' ? ax : axis == 'y' ? ay : az;
    }

    /// <summary>The quaternion of angles in degrees about x, y and z, applied in the order's sequence; HumanML3D negates that of xyz, yzx and zxy.</summary>
    public static QuaternionD ToQuaternion(Vector3D degrees, string order)
    {
        var radians = Math.PI / 180 * degrees;
        var result = order.Aggregate(QuaternionD.Identity, (q, axis) => q * (axis switch
        {
            'x' => new(Math.Cos(radians.X / 2), Math.Sin(radians.X / 2), 0, 0),
            'y' => new(Math.Cos(radians.Y / 2), 0, Math.Sin(radians.Y / 2), 0),
            'z' => new(Math.Cos(radians.Z / 2), 0, 0, Math.Sin(radians.Z / 2)),
            _ => throw new ArgumentException($"'{order}' is not an order of x, y and z.", nameof(order)),
        }));
        return order is "xyz" or "yzx" or "zxy" ? -result : result;
    }

    private static RotationMatrix About(char axis, double angle)
    {
        var (s, c) = Math.SinCos(angle);
        return axis switch
        {
            'X' => new(new(1, 0, 0), new(0, c, s), new(0, -s, c)),
            'Y' => new(new(c, 0, -s), new(0, 1, 0), new(s, 0, c)),
            'Z' => new(new(c, s, 0), new(-s, c, 0), new(0, 0, 1)),
            _ => throw new ArgumentException($"'{axis}' is not an axis.", nameof(axis)),
        };
    }

    private static int Axis(char letter) => "XYZ".IndexOf(letter) is var i and >= 0 ? i : throw new ArgumentException($"'{letter}' is not an axis.", nameof(letter));

    private static double FromTangent(char axis, char other, Vector3D data, bool horizontal, bool taitBryan)
    {
        var (i1, i2) = axis switch { 'X' => (2, 1), 'Y' => (0, 2), _ => (1, 0) };
        if (horizontal) (i1, i2) = (i2, i1);
        var even = $"{axis}{other}" is "XY" or "YZ" or "ZX";
        if (horizontal == even) return Math.Atan2(At(i1), At(i2));
        return taitBryan ? Math.Atan2(-At(i2), At(i1)) : Math.Atan2(At(i2), -At(i1));

        double At(int i) => i == 0 ? data.X : i == 1 ? data.Y : data.Z;
    }
}
