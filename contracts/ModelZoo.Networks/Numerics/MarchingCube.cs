namespace ModelZoo.Networks.Numerics;

/// <summary>
/// Eight corner values of a cube, less the level: which triangles separate the positive from the negative ones. Corners 0..3 run round the lower face from (0,0), over (1,0) and (1,1), to (0,1); 4..7 above them.
/// Edges 0..3 lie in the lower face, 4..7 in the upper, 8..11 between; 12 is the centre.
/// </summary>
internal sealed class MarchingCube
{
    private const double Epsilon = 2.220446049250313e-16;
    private static readonly (int From, int To)[] Edges = [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)];
    private static readonly (int X, int Y, int Z)[] Corners = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)];
    private static readonly int[][] Faces = [[0, 4, 5, 1], [1, 5, 6, 2], [2, 6, 7, 3], [3, 7, 4, 0], [0, 3, 2, 1], [4, 7, 6, 5]];

    // For each edge, the three edges parallel to it, as (from, to) corners.
    private static readonly int[][] Parallels =
    [
        [3, 2, 7, 6, 4, 5], [0, 3, 4, 7, 5, 6], [1, 0, 5, 4, 6, 7], [2, 1, 6, 5, 7, 4], [7, 6, 3, 2, 0, 1], [4, 7, 0, 3, 1, 2],
        [5, 4, 1, 0, 2, 3], [6, 5, 2, 1, 3, 0], [3, 7, 2, 6, 1, 5], [0, 4, 3, 7, 2, 6], [1, 5, 0, 4, 3, 7], [2, 6, 1, 5, 0, 4],
    ];

    private readonly double[] _values;
    private readonly int _signs;

    public MarchingCube(double level, params ReadOnlySpan<float> corners)
    {
        _values = new double[8];
        for (var i = 0; i < 8; i++)
        {
            _values[i] = corners[i] - level;
            if (_values[i] > 0) _signs |= 1 << i;
        }
    }

    /// <summary>Where the surface crosses an edge, or the centre's weighted mean; in units of the cube.</summary>
    public (double X, double Y, double Z) Vertex(int edge)
    {
        ReadOnlySpan<int> corners = edge == 12 ? [0, 1, 2, 3, 4, 5, 6, 7] : Nearest(edge);
        var (x, y, z, total) = (0.0, 0.0, 0.0, 0.0);
        foreach (var corner in corners)
        {
            var weight = 1 / (Epsilon + Math.Abs(_values[corner]));
            (x, y, z, total) = (x + Corners[corner].X * weight, y + Corners[corner].Y * weight, z + Corners[corner].Z * weight, total + weight);
        }

        return (x / total, y / total, z / total);

        static int[] Nearest(int edge) => [Edges[edge].From, Edges[edge].To];
    }

    /// <summary>The triangles of the 15 classic cases.</summary>
    public (MarchingCubesTable? Table, int Row, int Column, int Triangles) ClassicTiling()
    {
        var table = MarchingCubesTables.Get("classic");
        var count = 0;
        while (3 * count < table.Columns && table[_signs, 3 * count] != -1) count++;
        return (Flat(table), _signs, 0, count);
    }

    /// <summary>The triangles of Lewiner's 33 cases: ambiguous faces and interiors are tested.</summary>
    public (MarchingCubesTable? Table, int Row, int Column, int Triangles) Tiling()
    {
        var cases = MarchingCubesTables.Get("cases");
        var (kind, row) = (cases[_signs, 0], cases[_signs, 1]);
        switch (kind)
        {
            case 1: return Of("1", 1);
            case 2: return Of("2", 2);
            case 3: return Face(0) ? Of("3.2", 4) : Of("3.1", 2);
            case 4: return Interior(0) ? Of("4.1", 2) : Of("4.2", 6);
            case 5: return Of("5", 3);
            case 6: return Face(0) ? Of("6.2", 5) : Interior(1, Test(2)) ? Of("6.1.1", 3) : Of("6.1.2", 9);
            case 7:
                return Faces(3) switch
                {
                    0 => Of("7.1", 3),
                    1 => Part("7.2", 0, 5),
                    2 => Part("7.2", 1, 5),
                    3 => Part("7.3", 0, 9),
                    4 => Part("7.2", 2, 5),
                    5 => Part("7.3", 1, 9),
                    6 => Part("7.3", 2, 9),
                    _ => Interior(3, Test(4)) ? Of("7.4.2", 9) : Of("7.4.1", 5),
                };
            case 8: return Of("8", 2);
            case 9: return Of("9", 4);
            case 11: return Of("11", 4);
            case 14: return Of("14", 4);
            case 10 or 12:
                return (Face(0), Face(1)) switch
                {
                    (true, true) => Of($"{kind}.1.1 inverted", 4),
                    (true, false) => Of($"{kind}.2", 8),
                    (false, true) => Of($"{kind}.2 inverted", 8),
                    _ => Interior(2, kind == 12 ? Test(3) : -1) ? Of($"{kind}.1.1", 4) : Of($"{kind}.1.2", 8),
                };
            case 13:
                return MarchingCubesTables.Get("subconfig 13")[Faces(6)] switch
                {
                    0 => Of("13.1", 4),
                    var part and <= 6 => Part("13.2", part - 1, 6),
                    var part and <= 18 => Part("13.3", part - 7, 10),
                    var part and <= 22 => Part("13.4", part - 19, 12),
                    var part and <= 26 => Interior(6, MarchingCubesTables.Get("tiling 13.5.1")[row, part - 23, 0]) ? Part("13.5.1", part - 23, 6) : Part("13.5.2", part - 23, 10),
                    var part and <= 38 => Part("13.3 inverted", part - 27, 10),
                    var part and <= 44 => Part("13.2 inverted", part - 39, 6),
                    _ => Of("13.1 inverted", 4),
                };
            default: return default;
        }

        (MarchingCubesTable?, int, int, int) Of(string name, int triangles) => (Flat(MarchingCubesTables.Get($"tiling {name}")), row, 0, triangles);
        (MarchingCubesTable?, int, int, int) Part(string name, int part, int triangles) => (MarchingCubesTables.Get($"tiling {name}"), row, part, triangles);
        int Test(int column) => MarchingCubesTables.Get($"test {kind}")[row, column];
        bool Face(int column) => FaceIsJoined(Test(column));
        int Faces(int count) => Enumerable.Range(0, count).Sum(i => Face(i) ? 1 << i : 0);
        bool Interior(int column, int edge = -1) => InteriorIsJoined(Test(column), edge);
    }

    // Tables of two dimensions are read as one of three, whose second has one entry.
    private static MarchingCubesTable Flat(MarchingCubesTable table) => table.Depth > 1 ? table : new(table.Values, 1, table.Columns);

    // Nielson and Hamann's asymptotic decider: does the face's positive part hang together?
    private bool FaceIsJoined(int face)
    {
        var corners = Faces[Math.Abs(face) - 1];
        var (a, b, c, d) = (_values[corners[0]], _values[corners[1]], _values[corners[2]], _values[corners[3]]);
        var saddle = a * c - b * d;
        return Math.Abs(saddle) < Epsilon ? face >= 0 : face * a * saddle >= 0;
    }

    // Chernyaev's test: does the interior join opposite corners? Looks at the plane through a crossing of the given edge, or through the height of the bilinear saddle.
    private bool InteriorIsJoined(int sign, int edge)
    {
        var v = _values;
        double a, b, c, d;
        if (edge < 0)
        {
            var (p, q, r, s) = (v[4] - v[0], v[5] - v[1], v[6] - v[2], v[7] - v[3]);
            var t = -(v[2] * p + v[0] * r - v[1] * s - v[3] * q) / (2 * (p * r - s * q) + Epsilon);
            if (t is < 0 or > 1) return sign > 0;
            (a, b, c, d) = (v[0] + p * t, v[3] + s * t, v[2] + r * t, v[1] + q * t);
        }
        else
        {
            var (from, to) = Edges[edge];
            var (t, others) = (v[from] / (v[from] - v[to] + Epsilon), Parallels[edge]);
            (a, b, c, d) = (0, At(0), At(2), At(4));
            double At(int i) => v[others[i]] + (v[others[i + 1]] - v[others[i]]) * t;
        }

        return ((a >= 0 ? 1 : 0) | (b >= 0 ? 2 : 0) | (c >= 0 ? 4 : 0) | (d >= 0 ? 8 : 0)) switch
        {
            5 => a * c - b * d < Epsilon && sign > 0,
            10 => a * c - b * d >= Epsilon && sign > 0,
            7 or 11 or >= 13 => sign < 0,
            _ => sign > 0,
        };
    }
}
