// Efficient implementation of Marching Cubes' cases with topological guarantees. Lewiner, Lopes, Vieira, Tavares. Journal of Graphics Tools 8 (2003); results as scikit-image's.
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Numerics;

/// <summary>The surface of a volume at a level.</summary>
public sealed record MarchingCubes
{
    /// <summary>Distance of neighbouring samples along each axis of the volume.</summary>
    public (double First, double Second, double Third) Spacing { get; init; } = (1, 1, 1);

    /// <summary>Which way faces turn: true where objects are above the level (scikit-image's <c>descent</c>).</summary>
    public bool Descent { get; init; } = true;

    /// <summary>Samples that a cube spans.</summary>
    public int Step { get; init; } = 1;

    /// <summary>The 15 cases of Lorensen and Cline, which can leave holes.</summary>
    public bool Classic { get; init; }

    /// <summary>Keep triangles of no area.</summary>
    public bool AllowDegenerate { get; init; } = true;

    /// <summary>Extracts the surface.</summary>
    /// <param name="volume">(first, second, third), each at least 2.</param>
    /// <returns>Vertices in the volume's axis order times spacing, and triangles.</returns>
    /// <exception cref="ArgumentException">The volume is flat or the level is outside its values.</exception>
    public (double[][] Vertices, int[][] Faces) Extract(Tensor<float> volume, double level)
    {
        if (volume.Rank != 3 || volume.Shape.ToArray().Any(extent => extent < 2)) throw new ArgumentException("Marching cubes needs a volume of at least 2x2x2.", nameof(volume));
        var (least, most) = (float.PositiveInfinity, float.NegativeInfinity);
        foreach (var value in volume.Span) (least, most) = (Math.Min(least, value), Math.Max(most, value));
        if (level < least || level > most) throw new ArgumentException($"The level {level} is outside the volume's values, {least} to {most}.", nameof(level));

        var surface = new Surface((int)volume.Shape[2], (int)volume.Shape[1], Step);
        for (var z = 0; z + Step < volume.Shape[0]; z += Step)
        {
            surface.NextLayer();
            for (var y = 0; y + Step < volume.Shape[1]; y += Step)
            {
                for (var x = 0; x + Step < volume.Shape[2]; x += Step)
                {
                    var cube = new MarchingCube(level,
                        volume[z, y, x], volume[z, y, x + Step], volume[z, y + Step, x + Step], volume[z, y + Step, x],
                        volume[z + Step, y, x], volume[z + Step, y, x + Step], volume[z + Step, y + Step, x + Step], volume[z + Step, y + Step, x]);
                    var (table, row, column, triangles) = Classic ? cube.ClassicTiling() : cube.Tiling();
                    for (var i = 0; i < 3 * triangles; i++) surface.Add(cube, x, y, z, table![row, column, i]);
                }
            }
        }

        var (vertices, faces) = (surface.Vertices, surface.Corners.Chunk(3).ToArray());
        if (Descent) Array.ForEach(faces, Array.Reverse);
        if (!AllowDegenerate) (vertices, faces) = WithoutDegenerate(vertices, faces);
        return ([.. vertices.Select(v => new[] { v[2] * Spacing.First, v[1] * Spacing.Second, v[0] * Spacing.Third })], faces);
    }

    /// <summary>Total area of triangles.</summary>
    public static double Area(double[][] vertices, int[][] faces) => faces.Sum(f => Vector3D.Cross(Point(vertices[f[1]]) - Point(vertices[f[0]]), Point(vertices[f[2]]) - Point(vertices[f[0]])).Length / 2);

    /// <summary>Volume that triangles enclose; negative where they turn inwards.</summary>
    public static double Volume(double[][] vertices, int[][] faces) => faces.Sum(f => Vector3D.Dot(Point(vertices[f[0]]), Vector3D.Cross(Point(vertices[f[1]]), Point(vertices[f[2]]))) / 6);

    private static Vector3D Point(double[] v) => new(v[0], v[1], v[2]);

    // Corners of equal position become one vertex; triangles that had two of them go.
    private static (List<float[]> Vertices, int[][] Faces) WithoutDegenerate(List<float[]> vertices, int[][] faces)
    {
        var (same, kept) = (Enumerable.Range(0, vertices.Count).ToArray(), new List<int[]>());
        foreach (var face in faces)
        {
            var whole = true;
            foreach (var (a, b) in new[] { (face[0], face[1]), (face[0], face[2]), (face[1], face[2]) })
            {
                if (!vertices[a].SequenceEqual(vertices[b])) continue;
                same[a] = same[b] = Math.Min(same[a], same[b]);
                whole = false;
            }

            if (whole) kept.Add(face);
        }

        var (remaining, number) = (new List<float[]>(), new int[vertices.Count]);
        for (var i = 0; i < vertices.Count; i++)
        {
            if (same[i] == i) remaining.Add(vertices[i]);
            number[i] = remaining.Count - 1;
        }

        return (remaining, [.. kept.Select(face => Array.ConvertAll(face, i => number[same[i]]))]);
    }

    // Vertices are shared by the cubes around an edge: each cell of the two layers in work owns three edges and its centre.
    private sealed class Surface(int width, int height, int step)
    {
        private int[] _below = Empty(width * height * 4);
        private int[] _above = Empty(width * height * 4);

        public List<float[]> Vertices { get; } = [];

        public List<int> Corners { get; } = [];

        public void NextLayer()
        {
            (_below, _above) = (_above, _below);
            Array.Fill(_above, -1);
        }

        public void Add(MarchingCube cube, int x, int y, int z, int edge)
        {
            var cell = width * y + x;
            var (layer, slot) = edge switch
            {
                12 => (_below, 4 * cell + 3),
                >= 8 => (_below, 4 * (cell + (edge is 9 or 10 ? step : 0) + (edge is 10 or 11 ? width * step : 0)) + 2),
                _ => (edge < 4 ? _below : _above, 4 * (cell + (edge % 4 == 1 ? step : edge % 4 == 2 ? width * step : 0)) + edge % 2),
            };
            if (layer[slot] < 0)
            {
                var (dx, dy, dz) = cube.Vertex(edge);
                layer[slot] = Vertices.Count;
                Vertices.Add([(float)(x + step * dx), (float)(y + step * dy), (float)(z + step * dz)]);
            }

            Corners.Add(layer[slot]);
        }

        private static int[] Empty(int length)
        {
            var values = new int[length];
            Array.Fill(values, -1);
            return values;
        }
    }
}
