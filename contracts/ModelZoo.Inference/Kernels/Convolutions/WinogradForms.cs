using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Inference.Kernels;

/// <summary>
/// A way to convolve with three taps by multiplying polynomials at points (Winograd; Lavin and Gray, arXiv:1509.09308): <see cref="Outputs"/> neighbouring results from <see cref="Points"/> products. In two dimensions it is applied to columns, then
/// to rows. Each method handles 16 of them side by side.
/// </summary>
internal unsafe interface IWinogradForm
{
    static abstract int Outputs { get; }

    static abstract int Points { get; }

    /// <summary>How three taps become factors of the products, a row for each.</summary>
    static abstract double[][] Taps { get; }

    /// <summary>Inputs, each at an offset, to factors, <paramref name="step"/> apart.</summary>
    static abstract void Input(float* at, nint* offsets, float* to, nint step);

    /// <summary>Products, <paramref name="from"/> apart, to results, <paramref name="step"/> apart.</summary>
    static abstract void Output(float* at, nint from, float* to, nint step);
}

/// <summary>Two results from four products, at 0, 1, -1 and infinity: 2.25 times fewer products than terms in a picture. Rounding is even a little less than that of the sum itself.</summary>
internal readonly unsafe struct WinogradPairs : IWinogradForm
{
    public static int Outputs => 2;

    public static int Points => 4;

    public static double[][] Taps => [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Input(float* at, nint* offsets, float* to, nint step)
    {
        var (d0, d1, d2, d3) = (Vector512.Load(at + offsets[0]), Vector512.Load(at + offsets[1]), Vector512.Load(at + offsets[2]), Vector512.Load(at + offsets[3]));
        (d0 - d2).Store(to);
        (d1 + d2).Store(to + step);
        (d2 - d1).Store(to + 2 * step);
        (d1 - d3).Store(to + 3 * step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Output(float* at, nint from, float* to, nint step)
    {
        var (m1, m2) = (Vector512.Load(at + from), Vector512.Load(at + 2 * from));
        (Vector512.Load(at) + m1 + m2).Store(to);
        (m1 - m2 - Vector512.Load(at + 3 * from)).Store(to + step);
    }
}

/// <summary>
/// Four results from six products, at 0, +-1/sqrt 2, +-sqrt 2 and infinity: 4 times fewer products than terms in a picture. With these points the error is 1.6 times that of the sum itself; with the usual 0, +-1, +-2 it is 3.5 times as large.
/// </summary>
internal readonly unsafe struct WinogradFours : IWinogradForm
{
    // a^2 = 1/2, b^2 = 2, a^2 b^2 = 1, a^2 + b^2 = 5/2.
    private const float A = 0.70710678f, B = 1.41421356f;

    public static int Outputs => 4;

    public static int Points => 6;

    public static double[][] Taps { get; } = Factors(Math.Sqrt(0.5), Math.Sqrt(2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Input(float* at, nint* offsets, float* to, nint step)
    {
        var (d0, d1, d2) = (Vector512.Load(at + offsets[0]), Vector512.Load(at + offsets[1]), Vector512.Load(at + offsets[2]));
        var (d3, d4, d5) = (Vector512.Load(at + offsets[3]), Vector512.Load(at + offsets[4]), Vector512.Load(at + offsets[5]));
        var (two, half, middle) = (Vector512.Create(-2f), Vector512.Create(-0.5f), Vector512.Create(-2.5f));
        var (even, odd) = (Vector512.FusedMultiplyAdd(two, d2, d4), A * Vector512.FusedMultiplyAdd(two, d1, d3));
        var (even2, odd2) = (Vector512.FusedMultiplyAdd(half, d2, d4), B * Vector512.FusedMultiplyAdd(half, d1, d3));
        (Vector512.FusedMultiplyAdd(middle, d2, d0) + d4).Store(to);
        (even + odd).Store(to + step);
        (even - odd).Store(to + 2 * step);
        (even2 + odd2).Store(to + 3 * step);
        (even2 - odd2).Store(to + 4 * step);
        (Vector512.FusedMultiplyAdd(middle, d3, d1) + d5).Store(to + 5 * step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Output(float* at, nint from, float* to, nint step)
    {
        var (m1, m2, m3, m4) = (Vector512.Load(at + from), Vector512.Load(at + 2 * from), Vector512.Load(at + 3 * from), Vector512.Load(at + 4 * from));
        var (sum, difference, sum2, difference2) = (m1 + m2, A * (m1 - m2), m3 + m4, B * (m3 - m4));
        var (two, half) = (Vector512.Create(2f), Vector512.Create(0.5f));
        (Vector512.Load(at) + sum + sum2).Store(to);
        (difference + difference2).Store(to + step);
        Vector512.FusedMultiplyAdd(half, sum, two * sum2).Store(to + 2 * step);
        (Vector512.FusedMultiplyAdd(half, difference, two * difference2) + Vector512.Load(at + 5 * from)).Store(to + 3 * step);
    }

    // At a point p: (1, p, p^2) over the product of its distances from the other points.
    private static double[][] Factors(double a, double b)
    {
        double[] At(double p, double other) => [.. new[] { 1, p, p * p }.Select(power => power / (2 * p * p * (p * p - other * other)))];
        return [[1 / (a * a * b * b), 0, 0], At(a, b), At(-a, b), At(b, a), At(-b, a), [0, 0, 1]];
    }
}
