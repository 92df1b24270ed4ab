namespace ModelZoo.Networks.Numerics;

/// <summary>A quaternion, real part first, in double precision.</summary>
/// <param name="W">Real part.</param>
/// <param name="X">First imaginary part.</param>
/// <param name="Y">Second imaginary part.</param>
/// <param name="Z">Third imaginary part.</param>
public readonly record struct QuaternionD(double W, double X, double Y, double Z)
{
    /// <summary>No rotation.</summary>
    public static QuaternionD Identity { get; } = new(1, 0, 0, 0);

    /// <summary>The imaginary parts.</summary>
    public Vector3D Imaginary => new(X, Y, Z);

    /// <summary>Of length 1.</summary>
    public QuaternionD Normalized
    {
        get
        {
            var length = Math.Sqrt(W * W + X * X + Y * Y + Z * Z);
            return new(W / length, X / length, Y / length, Z / length);
        }
    }

    /// <summary>The inverse of a unit quaternion.</summary>
    public QuaternionD Conjugate => new(W, -X, -Y, -Z);

    /// <summary>The one of the two quaternions of a rotation whose real part is not negative.</summary>
    public QuaternionD Standardized => W < 0 ? -this : this;

    /// <summary>From four consecutive numbers.</summary>
    public static QuaternionD Read(ReadOnlySpan<float> values) => new(values[0], values[1], values[2], values[3]);

    /// <summary>Into four consecutive numbers.</summary>
    public void Write(Span<float> values) => (values[0], values[1], values[2], values[3]) = ((float)W, (float)X, (float)Y, (float)Z);

    /// <summary>The shortest rotation between two directions.</summary>
    public static QuaternionD Between(Vector3D from, Vector3D to)
    {
        var axis = Vector3D.Cross(from, to);
        return new QuaternionD(Math.Sqrt(Vector3D.Dot(from, from) * Vector3D.Dot(to, to)) + Vector3D.Dot(from, to), axis.X, axis.Y, axis.Z).Normalized;
    }

    /// <summary>Spherical interpolation between two rotations, along q1 q0⁻¹ as it is: the long way round where that is the angle.</summary>
    public static QuaternionD Slerp(QuaternionD q0, QuaternionD q1, double t)
    {
        var (start, turn) = (q0.Normalized, (q1.Normalized * q0.Normalized.Conjugate).Normalized);
        var angle = Math.Acos(Math.Clamp(turn.W, -1, 1));
        if (angle <= 1e-9) angle = 1e-9;
        var axis = Math.Sin(t * angle) / Math.Sin(angle) * turn.Imaginary;
        return new QuaternionD(Math.Cos(t * angle), axis.X, axis.Y, axis.Z) * start;
    }

    /// <summary>A vector, rotated by a unit quaternion.</summary>
    public Vector3D Rotate(Vector3D v)
    {
        var uv = Vector3D.Cross(Imaginary, v);
        return v + 2 * (W * uv + Vector3D.Cross(Imaginary, uv));
    }

    /// <summary>First b, then a.</summary>
    public static QuaternionD operator *(QuaternionD a, QuaternionD b) => new(
        a.W * b.W - a.X * b.X - a.Y * b.Y - a.Z * b.Z,
        a.W * b.X + a.X * b.W + a.Y * b.Z - a.Z * b.Y,
        a.W * b.Y - a.X * b.Z + a.Y * b.W + a.Z * b.X,
        a.W * b.Z + a.X * b.Y - a.Y * b.X + a.Z * b.W);

    /// <summary>The other quaternion of the same rotation.</summary>
    public static QuaternionD operator -(QuaternionD q) => new(-q.W, -q.X, -q.Y, -q.Z);

    /// <summary>The numbers alone: what a record prints by itself would print its own derived values without end.</summary>
    public override string ToString() => FormattableString.Invariant($"({W}, {X}, {Y}, {Z})");
}
