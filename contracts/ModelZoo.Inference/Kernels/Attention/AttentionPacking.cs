using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Inference.Kernels;

/// <summary>Keys and values of a head in the order in which tiles read them.</summary>
internal static unsafe class AttentionPacking
{
    private const int Lanes = 16;

    /// <summary>Keys turned round: panels of 32 keys, in each the steps of the width one after another. Keys that are missing in the last panel are the last one again; nobody looks at their scores.</summary>
    /// <param name="keys">The first key.</param>
    /// <param name="stride">Elements from a key to the next.</param>
    /// <param name="count">Number of keys.</param>
    /// <param name="width">Width of a key.</param>
    /// <param name="target">The panels.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Keys(float* keys, nint stride, int count, int width, float* target)
    {
        var rows = stackalloc float*[Lanes];
        for (var first = 0; first < count; first += Tile.Columns, target += (nint)width * Tile.Columns)
        {
            for (var half = 0; half < Tile.Columns; half += Lanes)
            {
                for (var i = 0; i < Lanes; i++) rows[i] = keys + Math.Min(first + half + i, count - 1) * stride;
                Turn(rows, width, target + half);
            }
        }
    }

    /// <summary>Values in panels of 32 columns, in each the keys one after another; columns that are missing in the last panel are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Values(float* values, nint stride, int count, int width, float* target)
    {
        for (var column = 0; column < width; column += Tile.Columns)
        {
            var columns = Math.Min(Tile.Columns, width - column);
            var source = values + column;
            for (var key = 0; key < count; key++, source += stride, target += Tile.Columns)
            {
                if (columns == Tile.Columns)
                {
                    Vector512.Load(source).Store(target);
                    Vector512.Load(source + Lanes).Store(target + Lanes);
                    continue;
                }

                Vector512<float>.Zero.Store(target);
                Vector512<float>.Zero.Store(target + Lanes);
                for (var i = 0; i < columns; i++) target[i] = source[i];
            }
        }
    }

    // 16 rows become 16 columns of a panel, four steps at a time: a vector holds these steps of rows j, j + 4, j + 8 and j + 12, and four such vectors change places within their quarters.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn(float** rows, int width, float* target)
    {
        nint step = 0;
        for (; step + 4 <= width; step += 4, target += 4 * Tile.Columns)
        {
            var (a, b, c, d) = (Quarters(rows, 0, step), Quarters(rows, 1, step), Quarters(rows, 2, step), Quarters(rows, 3, step));
            var (lowLeft, highLeft) = (Avx512F.UnpackLow(a, b).AsDouble(), Avx512F.UnpackHigh(a, b).AsDouble());
            var (lowRight, highRight) = (Avx512F.UnpackLow(c, d).AsDouble(), Avx512F.UnpackHigh(c, d).AsDouble());
            Avx512F.UnpackLow(lowLeft, lowRight).AsSingle().Store(target);
            Avx512F.UnpackHigh(lowLeft, lowRight).AsSingle().Store(target + Tile.Columns);
            Avx512F.UnpackLow(highLeft, highRight).AsSingle().Store(target + 2 * Tile.Columns);
            Avx512F.UnpackHigh(highLeft, highRight).AsSingle().Store(target + 3 * Tile.Columns);
        }

        for (; step < width; step++, target += Tile.Columns)
        {
            for (var i = 0; i < Lanes; i++) target[i] = rows[i][step];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(float** rows, int row, nint step) =>
        Vector512.Create(Vector256.Create(Vector128.Load(rows[row] + step), Vector128.Load(rows[row + 4] + step)), Vector256.Create(Vector128.Load(rows[row + 8] + step), Vector128.Load(rows[row + 12] + step)));
}
