// LVSM: A Large View Synthesis Model with Minimal 3D Inductive Bias. Jin et al. arXiv:2410.17242: its ray parameterisations.
namespace ModelZoo.Networks.Numerics;

/// <summary>Rays through the pixels of a camera, and their Plücker coordinates.</summary>
public static class CameraRays
{
    /// <summary>The ray through the centre of a pixel.</summary>
    /// <param name="cameraToWorld">(4, 4); columns right, down, forward, position.</param>
    /// <param name="intrinsics">Focal lengths and centre in pixels: fx, fy, cx, cy.</param>
    public static (Vector3D Origin, Vector3D Direction) Through(ReadOnlySpan<float> cameraToWorld, ReadOnlySpan<float> intrinsics, int row, int column)
    {
        var m = cameraToWorld;
        var (x, y) = ((column + 0.5 - intrinsics[2]) / intrinsics[0], (row + 0.5 - intrinsics[3]) / intrinsics[1]);
        var direction = new Vector3D(m[0] * x + m[1] * y + m[2], m[4] * x + m[5] * y + m[6], m[8] * x + m[9] * y + m[10]);
        return (new(m[3], m[7], m[11]), direction.Normalized);
    }

    /// <summary>The moment o × d of a ray.</summary>
    public static Vector3D Moment(Vector3D origin, Vector3D direction) => Vector3D.Cross(origin, direction);

    /// <summary>The point of a ray that is nearest to the world's origin.</summary>
    public static Vector3D Nearest(Vector3D origin, Vector3D direction) => origin - Vector3D.Dot(origin, direction) * direction;
}
