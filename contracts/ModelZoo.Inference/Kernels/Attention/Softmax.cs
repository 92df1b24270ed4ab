using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Inference.Kernels;

/// <summary>What a row of scores is known by so far: the largest before it is scaled in the second step, the sum of e^(score - largest), and the factor on what was summed before the last block came.</summary>
internal struct SoftmaxState
{
    public const int Numbers = 3;

    public float Largest, Sum, Factor;
}

/// <summary>
/// Softmax of rows that come in blocks, in two steps: first the largest score of each of several rows, then their exponentials. Neither waits for what the other finds in the row before, so that rows overlap in the processor.
/// </summary>
/// <param name="scale">Factor on the scores.</param>
/// <param name="biased">Whether something is added to them.</param>
internal readonly unsafe struct Softmax(float scale, bool biased)
{
    private const int Lanes = 16;

    private const float Ln2 = 0.69314718f;

    // Scores that the first step only looks at are scaled in the second. They are powers of two there, which are less work.
    private readonly bool _early = biased || scale < 0;
    private readonly float _factor = (biased || scale < 0 ? 1 : scale) / Ln2;

    /// <summary>Takes the largest score of a block into a row's state.</summary>
    /// <param name="scores">The block's scores, in memory up to the next multiple of 16.</param>
    /// <param name="count">How many there are; may be none.</param>
    /// <param name="bias">Added to the scores, or null.</param>
    /// <param name="first">Whether this is the row's first block.</param>
    /// <param name="state">What is known of the row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void FindLargest(float* scores, int count, float* bias, bool first, SoftmaxState* state)
    {
        var whole = count / Lanes * Lanes;
        Vector512<float> top = Vector512.Create(float.MinValue), other = top;
        if (_early)
        {
            var factor = Vector512.Create(scale);
            for (var i = 0; i < whole; i += Lanes)
            {
                var s = bias is null ? Vector512.Load(scores + i) * factor : Vector512.FusedMultiplyAdd(Vector512.Load(scores + i), factor, Vector512.Load(bias + i));
                s.Store(scores + i);
                top = Avx512F.Max(top, s);
            }

            for (var i = whole; i < count; i++) scores[i] = bias is null ? scores[i] * scale : MathF.FusedMultiplyAdd(scores[i], scale, bias[i]);
        }
        else
        {
            var i = 0;
            for (; i + Lanes < whole; i += 2 * Lanes)
            {
                top = Avx512F.Max(top, Vector512.Load(scores + i));
                other = Avx512F.Max(other, Vector512.Load(scores + i + Lanes));
            }

            if (i < whole) top = Avx512F.Max(top, Vector512.Load(scores + i));
        }

        if (whole < count)
        {
            // What is beyond the end is as small as can be, in the second step too.
            var s = Vector512.ConditionalSelect(Inside(count - whole), Vector512.Load(scores + whole), Vector512.Create(float.NegativeInfinity));
            s.Store(scores + whole);
            top = Avx512F.Max(top, s);
        }

        var largest = Largest(Avx512F.Max(top, other));
        if (!first && !(largest > state->Largest)) largest = state->Largest;
        state->Factor = first || state->Largest == largest ? 1 : float.Exp2((state->Largest - largest) * _factor);
        state->Sum = first ? 0 : state->Sum * state->Factor;
        state->Largest = largest;
    }

    /// <summary>Scores s become e^(s scale + bias - largest), and the row's sum takes them in; from <paramref name="count"/> on they become 0, up to <paramref name="depth"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Exponentials(float* scores, int count, int depth, SoftmaxState* state)
    {
        var (factor, largest, sum) = (Vector512.Create(_factor), Vector512.Create(state->Largest), Vector512<float>.Zero);
        var i = 0;
        for (; i < count; i += Lanes)
        {
            var e = VectorMath.Exp2((Vector512.Load(scores + i) - largest) * factor);
            e.Store(scores + i);
            sum += e;
        }

        for (; i < depth; i += Lanes) Vector512<float>.Zero.Store(scores + i);
        state->Sum += Vector512.Sum(sum);
    }

    /// <summary>x = x factor, for <paramref name="count"/> numbers that 16 divides.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(float* x, int count, float factor)
    {
        for (var i = 0; i < count; i += Lanes) (Vector512.Load(x + i) * factor).Store(x + i);
    }

    /// <summary>y = x / sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Finish(float* x, int count, float sum, float* y)
    {
        var (factor, i) = (1 / sum, 0);
        for (; i + Lanes <= count; i += Lanes) (Vector512.Load(x + i) * factor).Store(y + i);
        for (; i < count; i++) y[i] = x[i] * factor;
    }

    private static Vector512<float> Inside(int count) => Vector512.LessThan(Vector512.CreateSequence(0, 1), Vector512.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest(Vector512<float> x)
    {
        var eight = Avx.Max(x.GetLower(), x.GetUpper());
        var four = Sse.Max(eight.GetLower(), eight.GetUpper());
        var two = Sse.Max(four, Sse.MoveHighToLow(four, four));
        return Sse.MaxScalar(two, Sse.Shuffle(two, two, 1)).ToScalar();
    }
}
