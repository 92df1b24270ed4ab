using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Inference.Kernels;

/// <summary>A padded picture, or a signal as one row, of which rows are copied: what stands before, and an exponential unit on it, are computed meanwhile.</summary>
/// <param name="Rows">Inputs from top to bottom.</param>
/// <param name="Columns">Inputs from left to right.</param>
/// <param name="Above">Padded rows before the first.</param>
/// <param name="Left">Padded columns before the first.</param>
/// <param name="Padding">What these are.</param>
/// <param name="Elu">Whether x where positive, else e^x - 1, is what is convolved.</param>
internal sealed unsafe record ConvolutionInput(int Rows, int Columns, int Above, int Left, Padding Padding, bool Elu)
{
    /// <summary>Copies a part of a row.</summary>
    /// <param name="channel">The first number of the picture.</param>
    /// <param name="row">The row, counted from the first of the padding.</param>
    /// <param name="column">The first column, counted likewise.</param>
    /// <param name="count">How many are wanted.</param>
    /// <param name="to">Where they go.</param>
    public void Copy(float* channel, int row, int column, int count, float* to)
    {
        var source = BeyondEnd(row - Above, Rows) ? -1 : ConvolutionAxis.Source(row - Above, Rows, Padding);
        if (source < 0)
        {
            new Span<float>(to, count).Clear();
            return;
        }

        channel += (nint)source * Columns;
        column -= Left;
        var start = Math.Clamp(-column, 0, count);
        var end = Math.Clamp(Columns - column, start, count);
        for (var i = 0; i < start; i++) to[i] = Padded(channel, column + i);
        new Span<float>(channel + column + start, end - start).CopyTo(new(to + start, end - start));
        if (Padding == Padding.Zero) new Span<float>(to + end, count - end).Clear();
        else for (var i = end; i < count; i++) to[i] = Padded(channel, column + i);
        if (Elu) Units(to, count);
    }

    private float Padded(float* row, int column)
    {
        var source = BeyondEnd(column, Columns) ? -1 : ConvolutionAxis.Source(column, Columns, Padding);
        return source < 0 ? 0 : row[source];
    }

    // Only reached by places that are none.
    private bool BeyondEnd(int index, int count) => Padding == Padding.Reflect && index > 2 * (count - 1);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Units(float* x, int count)
    {
        var i = 0;
        for (; i <= count - 16; i += 16) Unit(Vector512.Load(x + i)).Store(x + i);
        if (i == count) return;
        var rest = stackalloc float[16];
        new Span<float>(x + i, count - i).CopyTo(new(rest, 16));
        Unit(Vector512.Load(rest)).Store(rest);
        new Span<float>(rest, count - i).CopyTo(new(x + i, 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Unit(Vector512<float> x) =>
        Avx512F.Max(Vector512<float>.Zero, x) - (Vector512<float>.One - VectorMath.Exp(Avx512F.Min(Vector512<float>.Zero, x)));
}
