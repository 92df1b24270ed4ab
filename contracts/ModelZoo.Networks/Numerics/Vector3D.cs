namespace ModelZoo.Networks.Numerics;

/// <summary>A vector of three dimensions, in double precision.</summary>
/// <param name="X">First coordinate.</param>
/// <param name="Y">Second coordinate.</param>
/// <param name="Z">Third coordinate.</param>
public readonly record struct Vector3D(double X, double Y, double Z)
{
    /// <summary>Length.</summary>
    public double Length => Math.Sqrt(Dot(this, this));

    /// <summary>The same direction, of length 1.</summary>
    public Vector3D Normalized => this / Length;

    /// <summary>From three consecutive numbers.</summary>
    public static Vector3D Read(ReadOnlySpan<float> values) => new(values[0], values[1], values[2]);

    /// <summary>Into three consecutive numbers.</summary>
    public void Write(Span<float> values) => (values[0], values[1], values[2]) = ((float)X, (float)Y, (float)Z);

    /// <summary>Scalar product.</summary>
    public static double Dot(Vector3D a, Vector3D b) => a.X * b.X + a.Y * b.Y + a.Z * b.Z;

    /// <summary>Vector product.</summary>
    public static Vector3D Cross(Vector3D a, Vector3D b) => new(a.Y * b.Z - a.Z * b.Y, a.Z * b.X - a.X * b.Z, a.X * b.Y - a.Y * b.X);

    /// <summary>Sum.</summary>
    public static Vector3D operator +(Vector3D a, Vector3D b) => new(a.X + b.X, a.Y + b.Y, a.Z + b.Z);

    /// <summary>Difference.</summary>
    public static Vector3D operator -(Vector3D a, Vector3D b) => new(a.X - b.X, a.Y - b.Y, a.Z - b.Z);

    /// <summary>Multiple.</summary>
    public static Vector3D operator *(double s, Vector3D a) => new(s * a.X, s * a.Y, s * a.Z);

    /// <summary>Fraction.</summary>
    public static Vector3D operator /(Vector3D a, double s) => new(a.X / s, a.Y / s, a.Z / s);

    /// <summary>The numbers alone: what a record prints by itself would print its own derived values without end.</summary>
    public override string ToString() => FormattableString.Invariant($"({X}, {Y}, {Z})");
}
