namespace ModelZoo.Networks.Numerics;

/// <summary>A rotation as a matrix of three columns.</summary>
/// <param name="C0">Where the first axis goes.</param>
/// <param name="C1">Where the second axis goes.</param>
/// <param name="C2">Where the third axis goes.</param>
public readonly record struct RotationMatrix(Vector3D C0, Vector3D C1, Vector3D C2)
{
    /// <summary>From nine numbers, row by row.</summary>
    public static RotationMatrix Read(ReadOnlySpan<float> m) => new(new(m[0], m[3], m[6]), new(m[1], m[4], m[7]), new(m[2], m[5], m[8]));

    /// <summary>Into nine numbers, row by row.</summary>
    public void Write(Span<float> m)
    {
        (m[0], m[3], m[6]) = ((float)C0.X, (float)C0.Y, (float)C0.Z);
        (m[1], m[4], m[7]) = ((float)C1.X, (float)C1.Y, (float)C1.Z);
        (m[2], m[5], m[8]) = ((float)C2.X, (float)C2.Y, (float)C2.Z);
    }

    /// <summary>The element of a row and a column.</summary>
    public double this[int row, int column]
    {
        get
        {
            var c = column == 0 ? C0 : column == 1 ? C1 : C2;
            return row == 0 ? c.X : row == 1 ? c.Y : c.Z;
        }
    }

    /// <summary>Rows for columns: the inverse rotation.</summary>
    public RotationMatrix Transposed => new(new(C0.X, C1.X, C2.X), new(C0.Y, C1.Y, C2.Y), new(C0.Z, C1.Z, C2.Z));

    /// <summary>Of a quaternion of any length.</summary>
    public static RotationMatrix From(QuaternionD q)
    {
        var s = 2 / (q.W * q.W + q.X * q.X + q.Y * q.Y + q.Z * q.Z);
        return new(
            new(1 - s * (q.Y * q.Y + q.Z * q.Z), s * (q.X * q.Y + q.Z * q.W), s * (q.X * q.Z - q.Y * q.W)),
            new(s * (q.X * q.Y - q.Z * q.W), 1 - s * (q.X * q.X + q.Z * q.Z), s * (q.Y * q.Z + q.X * q.W)),
            new(s * (q.X * q.Z + q.Y * q.W), s * (q.Y * q.Z - q.X * q.W), 1 - s * (q.X * q.X + q.Y * q.Y)));
    }

    /// <summary>The quaternion whose real part is not negative.</summary>
    public QuaternionD ToQuaternion()
    {
        var (xx, yy, zz) = (C0.X, C1.Y, C2.Z);
        return new(Half(1 + xx + yy + zz), Signed(Half(1 + xx - yy - zz), C1.Z - C2.Y), Signed(Half(1 - xx + yy - zz), C2.X - C0.Z), Signed(Half(1 - xx - yy + zz), C0.Y - C1.X));

        static double Half(double square) => 0.5 * Math.Sqrt(Math.Max(0, square));
        static double Signed(double value, double sign) => value < 0 != sign < 0 ? -value : value;
    }

    /// <summary>The quaternion that HumanML3D chooses: one of its large parts is positive, whatever the sign of the real part.</summary>
    public QuaternionD ToQuaternionByLargePart()
    {
        var q = ToQuaternion();
        var (xx, yy, zz) = (C0.X, C1.Y, C2.Z);
        var chosen = zz < 0 ? xx > yy ? q.X : q.Y : xx < -yy ? q.Z : q.W;
        return chosen < 0 ? -q : q;
    }

    /// <summary>From two raw ROWS, made orthonormal (the six numbers of Zhou et al. as pytorch3d lays them out).</summary>
    public static RotationMatrix FromRows(Vector3D first, Vector3D second)
    {
        var b1 = first.Normalized;
        var b2 = (second - Vector3D.Dot(b1, second) * b1).Normalized;
        return new RotationMatrix(b1, b2, Vector3D.Cross(b1, b2)).Transposed;
    }

    /// <summary>From two raw COLUMNS, made orthonormal (the six numbers as HumanML3D lays them out).</summary>
    public static RotationMatrix FromColumns(Vector3D first, Vector3D second)
    {
        var x = first.Normalized;
        var z = Vector3D.Cross(x, second).Normalized;
        return new(x, Vector3D.Cross(z, x), z);
    }

    /// <summary>A rotated vector.</summary>
    public static Vector3D operator *(RotationMatrix m, Vector3D v) => v.X * m.C0 + v.Y * m.C1 + v.Z * m.C2;

    /// <summary>First b, then a.</summary>
    public static RotationMatrix operator *(RotationMatrix a, RotationMatrix b) => new(a * b.C0, a * b.C1, a * b.C2);

    /// <summary>The numbers alone: what a record prints by itself would print its own derived values without end.</summary>
    public override string ToString() => FormattableString.Invariant($"[{C0}, {C1}, {C2}]");
}
