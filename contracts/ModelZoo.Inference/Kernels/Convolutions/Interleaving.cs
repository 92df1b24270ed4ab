using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Inference.Kernels;

/// <summary>Numbers that lie a stride apart, gathered side by side or put back.</summary>
internal static unsafe class Interleaving
{
    /// <summary>Numbers beyond the last wanted one that may be read.</summary>
    public const int Beyond = 8;

    /// <summary>Copies every <paramref name="stride"/>-th number; up to <see cref="Beyond"/> after the last of these are read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Every(float* from, int stride, int count, float* to)
    {
        if (count < 16 || stride is not (2 or 4 or 8))
        {
            for (var i = 0; i < count; i++, from += stride) to[i] = *from;
            return;
        }

        // The last vector is as many as there are once more.
        for (nint i = 0; i < count; i += 16)
        {
            if (i > count - 16) i = count - 16;
            var at = from + i * stride;
            (stride == 2 ? Halves(at) : stride == 4 ? Quarters(at) : Evens(Quarters(at), Quarters(at + 64))).Store(to + i);
        }
    }

    /// <summary>The numbers of <paramref name="rows"/> vectors of 16 by turns, each with <paramref name="offset"/> added: the first of each, then the second of each, to the last.</summary>
    /// <param name="from">The first vector.</param>
    /// <param name="pitch">Numbers from a vector to the next.</param>
    /// <param name="rows">2 or 4.</param>
    /// <param name="offset">What is added.</param>
    /// <param name="to">Where they go.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Weave(float* from, nint pitch, int rows, Vector512<float> offset, float* to)
    {
        if (rows == 2)
        {
            var (first, second) = Weave(Vector512.Load(from) + offset, Vector512.Load(from + pitch) + offset);
            first.Store(to);
            second.Store(to + 16);
            return;
        }

        var (even, even2) = Weave(Vector512.Load(from) + offset, Vector512.Load(from + 2 * pitch) + offset);
        var (odd, odd2) = Weave(Vector512.Load(from + pitch) + offset, Vector512.Load(from + 3 * pitch) + offset);
        (even, odd) = Weave(even, odd);
        (even2, odd2) = Weave(even2, odd2);
        even.Store(to);
        odd.Store(to + 16);
        even2.Store(to + 32);
        odd2.Store(to + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Halves(float* at) => Evens(Vector512.Load(at), Vector512.Load(at + 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(float* at) => Evens(Halves(at), Halves(at + 32));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Evens(Vector512<float> first, Vector512<float> second) =>
        Avx512F.PermuteVar16x32x2(first, Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float> First, Vector512<float> Second) Weave(Vector512<float> even, Vector512<float> odd) => (
        Avx512F.PermuteVar16x32x2(even, Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), odd),
        Avx512F.PermuteVar16x32x2(even, Vector512.Create(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), odd));
}
