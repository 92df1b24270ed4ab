using System.Globalization;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media;

/// <summary>Wavefront .obj: vertices and faces; polygons become fans of triangles.</summary>
internal static class ObjFile
{
    /// <summary>Reads a mesh, or a point cloud when there are no faces.</summary>
    /// <exception cref="MediaException">A line cannot be read.</exception>
    public static Mesh Read(string text, string where)
    {
        var (vertices, faces) = (new List<float>(), new List<int>());
        var number = 0;
        foreach (var line in text.Split('\n'))
        {
            number++;
            var parts = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (parts.Length == 0 || parts[0] is not ("v" or "f")) continue;
            try
            {
                if (parts[0] == "v") vertices.AddRange(parts[1..4].Select(value => float.Parse(value, CultureInfo.InvariantCulture)));
                else AddFace([.. parts[1..].Select(part => Index(part, vertices.Count / 3))], faces);
            }
            catch (Exception error) when (error is FormatException or ArgumentException or OverflowException)
            {
                throw new MediaException(ErrorCodes.MediaMalformed, "The mesh cannot be read.", error) { Where = $"{where}:{number}", Found = line.Trim() };
            }
        }

        if (vertices.Count == 0) throw new MediaException(ErrorCodes.MediaMalformed, "The mesh has no vertices.") { Where = where };
        return new(Tensor.Create(vertices.ToArray(), vertices.Count / 3, 3), faces.Count == 0 ? null : Tensor.Create(faces.ToArray(), faces.Count / 3, 3));
    }

    /// <summary>Writes a mesh.</summary>
    public static void Write(Stream output, Mesh mesh)
    {
        using var writer = new StreamWriter(output, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
        for (var i = 0; i < mesh.Vertices.Shape[0]; i++) writer.WriteLine(FormattableString.Invariant($"v {mesh.Vertices[i, 0]:R} {mesh.Vertices[i, 1]:R} {mesh.Vertices[i, 2]:R}"));
        for (var i = 0; i < (mesh.Faces?.Shape[0] ?? 0); i++) writer.WriteLine($"f {mesh.Faces![i, 0] + 1} {mesh.Faces[i, 1] + 1} {mesh.Faces[i, 2] + 1}");
    }

    private static int Index(string part, int count)
    {
        var index = int.Parse(part.Split('/')[0], CultureInfo.InvariantCulture);
        index = index < 0 ? count + index : index - 1;
        return index >= 0 && index < count ? index : throw new FormatException("vertex out of range");
    }

    private static void AddFace(int[] corners, List<int> faces)
    {
        if (corners.Length < 3) throw new FormatException("a face has three corners");
        for (var i = 2; i < corners.Length; i++) faces.AddRange([corners[0], corners[i - 1], corners[i]]);
    }
}
