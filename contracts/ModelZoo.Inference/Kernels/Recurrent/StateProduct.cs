using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Inference.Kernels;

/// <summary>One state times the weights of all slots of 32 units at once: four streams of weights, as fast as the caches give them. The sums are those of a <see cref="Tile"/>, in the same order.</summary>
internal static unsafe class StateProduct
{
    /// <summary>c_s += h panel_s, for each slot s.</summary>
    /// <param name="h">The state.</param>
    /// <param name="depth">Its width.</param>
    /// <param name="p0">Panel of the first slot.</param>
    /// <param name="p1">Of the second.</param>
    /// <param name="p2">Of the third, or null.</param>
    /// <param name="p3">Of the fourth.</param>
    /// <param name="c">32 numbers of the first slot; the others follow, each <paramref name="stride"/> on.</param>
    /// <param name="stride">From a slot to the next.</param>
    public static void Add(float* h, nint depth, float* p0, float* p1, float* p2, float* p3, float* c, nint stride)
    {
        if (p2 is null) Add<Three>(h, depth, p0, p1, p0, p3, c, stride);
        else Add<Four>(h, depth, p0, p1, p2, p3, c, stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<TSlots>(float* h, nint depth, float* p0, float* p1, float* p2, float* p3, float* c, nint stride) where TSlots : struct
    {
        var all = typeof(TSlots) == typeof(Four);
        Vector512<float> s00 = Vector512.Load(c), s01 = Vector512.Load(c + 16), s10 = Vector512.Load(c + stride), s11 = Vector512.Load(c + stride + 16);
        Vector512<float> s20 = Vector512.Load(c + 2 * stride), s21 = Vector512.Load(c + 2 * stride + 16), s30 = Vector512.Load(c + 3 * stride), s31 = Vector512.Load(c + 3 * stride + 16);
        for (nint step = 0; step < depth; step++, p0 += Tile.Columns, p1 += Tile.Columns, p2 += Tile.Columns, p3 += Tile.Columns)
        {
            var x = Vector512.Create(h[step]);
            s00 = Vector512.FusedMultiplyAdd(x, Vector512.Load(p0), s00);
            s01 = Vector512.FusedMultiplyAdd(x, Vector512.Load(p0 + 16), s01);
            s10 = Vector512.FusedMultiplyAdd(x, Vector512.Load(p1), s10);
            s11 = Vector512.FusedMultiplyAdd(x, Vector512.Load(p1 + 16), s11);
            if (all)
            {
                s20 = Vector512.FusedMultiplyAdd(x, Vector512.Load(p2), s20);
                s21 = Vector512.FusedMultiplyAdd(x, Vector512.Load(p2 + 16), s21);
            }

            s30 = Vector512.FusedMultiplyAdd(x, Vector512.Load(p3), s30);
            s31 = Vector512.FusedMultiplyAdd(x, Vector512.Load(p3 + 16), s31);
        }

        s00.Store(c);
        s01.Store(c + 16);
        s10.Store(c + stride);
        s11.Store(c + stride + 16);
        s20.Store(c + 2 * stride);
        s21.Store(c + 2 * stride + 16);
        s30.Store(c + 3 * stride);
        s31.Store(c + 3 * stride + 16);
    }

    private readonly struct Three;

    private readonly struct Four;
}
