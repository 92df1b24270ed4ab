using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Inference.Kernels;

/// <summary>Number of rows of a tile, known to the compiler.</summary>
internal interface ITileRows
{
    static abstract int Count { get; }
}

/// <summary>Where a tile's 32 values of each step of the depth are.</summary>
internal interface ITilePanel
{
    static abstract unsafe float* At(float* panel, nint* offsets, nint step);
}

/// <summary>One step after another, as <see cref="PackedMatrix"/> lays them out.</summary>
internal readonly struct PackedPanel : ITilePanel
{
    public static unsafe float* At(float* panel, nint* offsets, nint step) => panel + step * Tile.Columns;
}

/// <summary>Each step at an offset of its own, in elements: the places of a picture that one weight of a filter meets.</summary>
internal readonly struct ScatteredPanel : ITilePanel
{
    public static unsafe float* At(float* panel, nint* offsets, nint step) => panel + offsets[step];
}

/// <summary>Memory that is wanted soon: while a tile is computed it is brought into the second cache, <paramref name="Step"/> bytes a step of the depth, two lines at most. Weights then come from memory while the units are busy, not before.</summary>
internal readonly unsafe record struct Ahead(nint Address, nint Step)
{
    /// <summary>Bytes of a cache line.</summary>
    public const int Line = 64;

    public byte* Start => (byte*)Address;
}

/// <summary>
/// The inner loop of matrix products: up to 12 rows by 32 columns of C = A B in registers, over all of the depth. Of 32 registers, 24 hold sums, so that each step loads two vectors of B and one number a row of A for two multiply-adds a row,
/// and the units for these are the only ones that are busy: about 95 % of their rate on Zen 5. Each element is one sum in the order of the depth, whatever the tile.
/// </summary>
internal static unsafe class Tile
{
    /// <summary>Most rows of a tile.</summary>
    public const int Rows = 12;

    /// <summary>Columns of a tile: two vectors.</summary>
    public const int Columns = 32;

    /// <summary>C = A B, or C += A B, for <paramref name="rows"/> rows and 32 columns.</summary>
    /// <param name="rows">1 to 12.</param>
    /// <param name="a">A's first row; the steps of a row are side by side.</param>
    /// <param name="aStride">Elements from a row of A to the next.</param>
    /// <param name="b">B's first step.</param>
    /// <param name="offsets">Of B's steps, for a <see cref="ScatteredPanel"/>.</param>
    /// <param name="depth">Number of steps.</param>
    /// <param name="c">C's first row.</param>
    /// <param name="cStride">Elements from a row of C to the next.</param>
    /// <param name="add">Whether C's values are added to.</param>
    /// <param name="ahead">What to bring nearer meanwhile.</param>
    public static void Multiply<TPanel>(int rows, float* a, nint aStride, float* b, nint* offsets, nint depth, float* c, nint cStride, bool add, Ahead ahead = default) where TPanel : struct, ITilePanel
    {
        switch (rows)
        {
            case 1: Multiply<Rows1, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
            case 2: Multiply<Rows2, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
            case 3: Multiply<Rows3, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
            case 4: Multiply<Rows4, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
            case 5: Multiply<Rows5, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
            case 6: Multiply<Rows6, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
            case 7: Multiply<Rows7, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
            case 8: Multiply<Rows8, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
            case 9: Multiply<Rows9, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
            case 10: Multiply<Rows10, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
            case 11: Multiply<Rows11, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
            case 12: Multiply<Rows12, TPanel>(a, aStride, b, offsets, depth, c, cStride, add, ahead); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TRows, TPanel>(float* a, nint aStride, float* b, nint* offsets, nint depth, float* c, nint cStride, bool add, Ahead ahead) where TRows : struct, ITileRows where TPanel : struct, ITilePanel
    {
        Vector512<float> v00 = default, v01 = default, v10 = default, v11 = default, v20 = default, v21 = default, v30 = default, v31 = default, v40 = default, v41 = default, v50 = default, v51 = default;
        Vector512<float> v60 = default, v61 = default, v70 = default, v71 = default, v80 = default, v81 = default, v90 = default, v91 = default, va0 = default, va1 = default, vb0 = default, vb1 = default;
        if (add)
        {
            Load(c + 0 * cStride, out v00, out v01);
            if (TRows.Count > 1) Load(c + 1 * cStride, out v10, out v11);
            if (TRows.Count > 2) Load(c + 2 * cStride, out v20, out v21);
            if (TRows.Count > 3) Load(c + 3 * cStride, out v30, out v31);
            if (TRows.Count > 4) Load(c + 4 * cStride, out v40, out v41);
            if (TRows.Count > 5) Load(c + 5 * cStride, out v50, out v51);
            if (TRows.Count > 6) Load(c + 6 * cStride, out v60, out v61);
            if (TRows.Count > 7) Load(c + 7 * cStride, out v70, out v71);
            if (TRows.Count > 8) Load(c + 8 * cStride, out v80, out v81);
            if (TRows.Count > 9) Load(c + 9 * cStride, out v90, out v91);
            if (TRows.Count > 10) Load(c + 10 * cStride, out va0, out va1);
            if (TRows.Count > 11) Load(c + 11 * cStride, out vb0, out vb1);
        }

        // Three rows from one address: a row is at it, at one stride, or at two.
        float* a0 = a, a3 = a + 3 * aStride, a6 = a + 6 * aStride, a9 = a + 9 * aStride;
        var twice = 2 * aStride;
        var next = ahead.Start;
        for (nint step = 0; step < depth; step++)
        {
            var at = TPanel.At(b, offsets, step);
            var (left, right) = (Vector512.Load(at), Vector512.Load(at + 16));
            Sse.Prefetch1(next);
            if (ahead.Step > Ahead.Line) Sse.Prefetch1(next + Ahead.Line);
            next += ahead.Step;
            Add(a0[step], left, right, ref v00, ref v01);
            if (TRows.Count > 1) Add(a0[aStride + step], left, right, ref v10, ref v11);
            if (TRows.Count > 2) Add(a0[twice + step], left, right, ref v20, ref v21);
            if (TRows.Count > 3) Add(a3[step], left, right, ref v30, ref v31);
            if (TRows.Count > 4) Add(a3[aStride + step], left, right, ref v40, ref v41);
            if (TRows.Count > 5) Add(a3[twice + step], left, right, ref v50, ref v51);
            if (TRows.Count > 6) Add(a6[step], left, right, ref v60, ref v61);
            if (TRows.Count > 7) Add(a6[aStride + step], left, right, ref v70, ref v71);
            if (TRows.Count > 8) Add(a6[twice + step], left, right, ref v80, ref v81);
            if (TRows.Count > 9) Add(a9[step], left, right, ref v90, ref v91);
            if (TRows.Count > 10) Add(a9[aStride + step], left, right, ref va0, ref va1);
            if (TRows.Count > 11) Add(a9[twice + step], left, right, ref vb0, ref vb1);
        }

        Store(c + 0 * cStride, v00, v01);
        if (TRows.Count > 1) Store(c + 1 * cStride, v10, v11);
        if (TRows.Count > 2) Store(c + 2 * cStride, v20, v21);
        if (TRows.Count > 3) Store(c + 3 * cStride, v30, v31);
        if (TRows.Count > 4) Store(c + 4 * cStride, v40, v41);
        if (TRows.Count > 5) Store(c + 5 * cStride, v50, v51);
        if (TRows.Count > 6) Store(c + 6 * cStride, v60, v61);
        if (TRows.Count > 7) Store(c + 7 * cStride, v70, v71);
        if (TRows.Count > 8) Store(c + 8 * cStride, v80, v81);
        if (TRows.Count > 9) Store(c + 9 * cStride, v90, v91);
        if (TRows.Count > 10) Store(c + 10 * cStride, va0, va1);
        if (TRows.Count > 11) Store(c + 11 * cStride, vb0, vb1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(float* from, out Vector512<float> left, out Vector512<float> right) => (left, right) = (Vector512.Load(from), Vector512.Load(from + 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float value, Vector512<float> left, Vector512<float> right, ref Vector512<float> leftSum, ref Vector512<float> rightSum)
    {
        var factor = Vector512.Create(value);
        leftSum = Vector512.FusedMultiplyAdd(factor, left, leftSum);
        rightSum = Vector512.FusedMultiplyAdd(factor, right, rightSum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* to, Vector512<float> left, Vector512<float> right)
    {
        left.Store(to);
        right.Store(to + 16);
    }

    private readonly struct Rows1 : ITileRows
    {
        public static int Count => 1;
    }

    private readonly struct Rows2 : ITileRows
    {
        public static int Count => 2;
    }

    private readonly struct Rows3 : ITileRows
    {
        public static int Count => 3;
    }

    private readonly struct Rows4 : ITileRows
    {
        public static int Count => 4;
    }

    private readonly struct Rows5 : ITileRows
    {
        public static int Count => 5;
    }

    private readonly struct Rows6 : ITileRows
    {
        public static int Count => 6;
    }

    private readonly struct Rows7 : ITileRows
    {
        public static int Count => 7;
    }

    private readonly struct Rows8 : ITileRows
    {
        public static int Count => 8;
    }

    private readonly struct Rows9 : ITileRows
    {
        public static int Count => 9;
    }

    private readonly struct Rows10 : ITileRows
    {
        public static int Count => 10;
    }

    private readonly struct Rows11 : ITileRows
    {
        public static int Count => 11;
    }

    private readonly struct Rows12 : ITileRows
    {
        public static int Count => 12;
    }
}
