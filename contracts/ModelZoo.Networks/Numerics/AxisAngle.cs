namespace ModelZoo.Networks.Numerics;

/// <summary>Rotations as an axis whose length is the angle in radians.</summary>
public static class AxisAngle
{
    private const double Small = 1e-6;

    /// <summary>To a quaternion.</summary>
    public static QuaternionD ToQuaternion(Vector3D axisAngle)
    {
        var angle = axisAngle.Length;
        var factor = angle < Small ? 0.5 - angle * angle / 48 : Math.Sin(angle / 2) / angle;
        var v = factor * axisAngle;
        return new(Math.Cos(angle / 2), v.X, v.Y, v.Z);
    }

    /// <summary>From a quaternion.</summary>
    public static Vector3D From(QuaternionD q)
    {
        var angle = 2 * Math.Atan2(q.Imaginary.Length, q.W);
        var factor = Math.Abs(angle) < Small ? 0.5 - angle * angle / 48 : Math.Sin(angle / 2) / angle;
        return q.Imaginary / factor;
    }
}
