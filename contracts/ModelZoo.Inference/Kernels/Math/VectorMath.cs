using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Inference.Kernels;

/// <summary>
/// Functions of 16 numbers at once, for processors with AVX-512: right to 2 units in the last place over all floats, infinities and NaN as <see cref="MathF"/> has them. The polynomials are minimax fits of our own.
/// </summary>
internal static class VectorMath
{
    // ln 2 in two parts; a small whole number times the first is exact.
    private const float Log2High = 0.693359375f, Log2Low = -2.12194440e-4f;

    /// <summary>e^x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        // x = n ln 2 + r; beyond the bounds the result is 0 or infinity. Of a pair with NaN, these give the second.
        x = Avx512F.Min(Vector512.Create(110f), Avx512F.Max(Vector512.Create(-110f), x));
        var n = Avx512F.RoundScale(x * 1.44269504f, 0);
        var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Log2High), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Log2Low), r);
        var square = r * r;
        var p = Polynomial(r, 0.0013814539f, 0.0083687454f, 0.041668389f, 0.16666521f, 0.49999994f);
        return Avx512F.Scale(Vector512.FusedMultiplyAdd(p, square, r) + Vector512<float>.One, n);
    }

    /// <summary>2^x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp2(Vector512<float> x)
    {
        x = Avx512F.Min(Vector512.Create(200f), Avx512F.Max(Vector512.Create(-200f), x));
        var n = Avx512F.RoundScale(x, 0);
        var r = x - n;
        var p = Vector512.FusedMultiplyAdd(Polynomial(r, 0.00015353362f, 0.0013398875f, 0.009618437f, 0.055503324f, 0.24022648f), r, Vector512.Create(0.6931472f));
        return Avx512F.Scale(Vector512.FusedMultiplyAdd(p, r, Vector512<float>.One), n);
    }

    /// <summary>tanh x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Tanh(Vector512<float> x)
    {
        var square = x * x;
        var small = Vector512.FusedMultiplyAdd(Polynomial(square, -0.005666979f, 0.020606179f, -0.053730007f, 0.13331331f, -0.33333278f) * square, x, x);
        var size = Vector512.Abs(x);
        var large = Vector512<float>.One - Vector512.Create(2f) / (Exp(size + size) + Vector512<float>.One);
        return Vector512.ConditionalSelect(Vector512.LessThan(size, Vector512.Create(0.625f)), small, Vector512.CopySign(large, x));
    }

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sigmoid(Vector512<float> x)
    {
        // e^-|x| cannot overflow, and small results keep their digits.
        var power = Exp(Vector512.CopySign(x, Vector512.Create(-1f)));
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512<float>.Zero), power, Vector512<float>.One) / (power + Vector512<float>.One);
    }

    /// <summary>The error function, 2 / sqrt(pi) times the integral of e^-t^2 from 0 to x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Erf(Vector512<float> x)
    {
        var square = x * x;
        var small = Vector512.FusedMultiplyAdd(Polynomial(square, 8.3168626e-5f, -8.1300375e-4f, 0.0051999092f, -0.026858943f, 0.11283688f, -0.37612632f, 0.12837917f), x, x);

        // 1 - erfc, with a polynomial for ln erfc; from 4 on that is 1.
        var size = Avx512F.Min(Vector512.Create(4f), Vector512.Abs(x));
        var large = Vector512<float>.One - Exp(Polynomial(size, 1.9531868e-4f, -0.0030371440f, 0.022202685f, -0.10388126f, -0.63723969f, -1.1276414f, -2.0395184e-4f));
        return Vector512.ConditionalSelect(Vector512.LessThan(size, Vector512.Create(0.93f)), small, Vector512.CopySign(large, x));
    }

    // Coefficients from the highest power down.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Polynomial(Vector512<float> x, float c4, float c3, float c2, float c1, float c0)
    {
        var p = Vector512.FusedMultiplyAdd(Vector512.Create(c4), x, Vector512.Create(c3));
        p = Vector512.FusedMultiplyAdd(p, x, Vector512.Create(c2));
        p = Vector512.FusedMultiplyAdd(p, x, Vector512.Create(c1));
        return Vector512.FusedMultiplyAdd(p, x, Vector512.Create(c0));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Polynomial(Vector512<float> x, float c6, float c5, float c4, float c3, float c2, float c1, float c0)
    {
        var p = Polynomial(x, c6, c5, c4, c3, c2);
        p = Vector512.FusedMultiplyAdd(p, x, Vector512.Create(c1));
        return Vector512.FusedMultiplyAdd(p, x, Vector512.Create(c0));
    }
}
