using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Inference.Kernels;

/// <summary>Products of a few rows with many, read where they are: what a step of decoding asks of its keys.</summary>
internal static unsafe class DotProducts
{
    private const int Lanes = 16;

    /// <summary>c[i, j] = a_i b_j.</summary>
    /// <param name="a">The first row of a.</param>
    /// <param name="rows">How many there are.</param>
    /// <param name="aStride">Elements from one to the next.</param>
    /// <param name="b">The first row of b.</param>
    /// <param name="bStride">Elements from one to the next.</param>
    /// <param name="count">How many rows b has.</param>
    /// <param name="width">Of all rows; 16 divides it.</param>
    /// <param name="c">The products, in memory up to the next multiple of 16 in each row.</param>
    /// <param name="cStride">Elements from a row of products to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute(float* a, int rows, nint aStride, float* b, nint bStride, int count, int width, float* c, nint cStride)
    {
        for (nint j = 0; j < count; j += Lanes)
        {
            // Rows of b that are missing at the end are its last again.
            nint last = count - 1 - j;
            var from = b + j * bStride;
            for (nint i = 0; i < rows; i++)
            {
                var row = a + i * aStride;
                Quarters(Four(row, from, bStride, 0, last, width), Four(row, from, bStride, 4, last, width), Four(row, from, bStride, 8, last, width), Four(row, from, bStride, 12, last, width)).Store(c + i * cStride + j);
            }
        }
    }

    // Products with four rows: in each quarter of the vector, a part of each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Four(float* a, float* b, nint stride, nint first, nint last, int width)
    {
        float* b0 = b + Math.Min(first, last) * stride, b1 = b + Math.Min(first + 1, last) * stride, b2 = b + Math.Min(first + 2, last) * stride, b3 = b + Math.Min(first + 3, last) * stride;
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
        for (nint step = 0; step < width; step += Lanes)
        {
            var x = Vector512.Load(a + step);
            s0 = Vector512.FusedMultiplyAdd(x, Vector512.Load(b0 + step), s0);
            s1 = Vector512.FusedMultiplyAdd(x, Vector512.Load(b1 + step), s1);
            s2 = Vector512.FusedMultiplyAdd(x, Vector512.Load(b2 + step), s2);
            s3 = Vector512.FusedMultiplyAdd(x, Vector512.Load(b3 + step), s3);
        }

        var left = (Avx512F.UnpackLow(s0, s1) + Avx512F.UnpackHigh(s0, s1)).AsDouble();
        var right = (Avx512F.UnpackLow(s2, s3) + Avx512F.UnpackHigh(s2, s3)).AsDouble();
        return Avx512F.UnpackLow(left, right).AsSingle() + Avx512F.UnpackHigh(left, right).AsSingle();
    }

    // The sums of the quarters of each, side by side.
    private static Vector512<float> Quarters(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        var left = Avx512F.Shuffle4x128(a, b, 0x44) + Avx512F.Shuffle4x128(a, b, 0xEE);
        var right = Avx512F.Shuffle4x128(c, d, 0x44) + Avx512F.Shuffle4x128(c, d, 0xEE);
        return Avx512F.Shuffle4x128(left, right, 0x88) + Avx512F.Shuffle4x128(left, right, 0xDD);
    }
}
