using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Inference.Kernels;

/// <summary>Numbers that lie a stride apart, gathered side by side or put back.</summary>
internal static unsafe class Interleaving
{
    /// <summary>Copies every <paramref name="stride"/>-th number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Every(float* from, int stride, int count, float* to)
    {
        if (stride == 1)
        {
            new Span<float>(from, count).CopyTo(new(to, count));
            return;
        }

        // Vectors may reach beyond the last number that is wanted: the last ones are left to the loop below.
        var i = 0;
        if (stride == 2)
        {
            for (; i < count - 16; i += 16) Evens(Vector512.Load(from + 2 * i), Vector512.Load(from + 2 * i + 16)).Store(to + i);
        }
        else if (stride == 4)
        {
            for (; i < count - 16; i += 16)
            {
                var at = from + 4 * i;
                Evens(Evens(Vector512.Load(at), Vector512.Load(at + 16)), Evens(Vector512.Load(at + 32), Vector512.Load(at + 48))).Store(to + i);
            }
        }

        for (from += (nint)i * stride; i < count; i++, from += stride) to[i] = *from;
    }

    /// <summary>The numbers of <paramref name="rows"/> vectors of 16 by turns: the first of each, then the second of each, to the last.</summary>
    /// <param name="from">The first vector.</param>
    /// <param name="pitch">Numbers from a vector to the next.</param>
    /// <param name="rows">2 or 4.</param>
    /// <param name="to">Where they go.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Weave(float* from, nint pitch, int rows, float* to)
    {
        if (rows == 2)
        {
            var (first, second) = Weave(Vector512.Load(from), Vector512.Load(from + pitch));
            first.Store(to);
            second.Store(to + 16);
            return;
        }

        var (even, even2) = Weave(Vector512.Load(from), Vector512.Load(from + 2 * pitch));
        var (odd, odd2) = Weave(Vector512.Load(from + pitch), Vector512.Load(from + 3 * pitch));
        (even, odd) = Weave(even, odd);
        (even2, odd2) = Weave(even2, odd2);
        even.Store(to);
        odd.Store(to + 16);
        even2.Store(to + 32);
        odd2.Store(to + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Evens(Vector512<float> first, Vector512<float> second) =>
        Avx512F.PermuteVar16x32x2(first, Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float> First, Vector512<float> Second) Weave(Vector512<float> even, Vector512<float> odd) => (
        Avx512F.PermuteVar16x32x2(even, Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), odd),
        Avx512F.PermuteVar16x32x2(even, Vector512.Create(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), odd));
}
