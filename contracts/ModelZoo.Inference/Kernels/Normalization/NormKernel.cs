using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Inference.Kernels;

/// <summary>
/// y = (x - mean) / sqrt(variance + epsilon) weight + bias over rows of the last dimension, or without the mean (Ba et al., arXiv:1607.06450; Zhang and Sennrich, arXiv:1910.07467), then y (1 + scale) + shift: x (.., D), weight (D), bias (D),
/// scale and shift a row of D for each run of equally many rows -> (.., D).
/// </summary>
/// <param name="epsilon">Added to the variance.</param>
/// <param name="centered">Whether the mean is taken off.</param>
/// <param name="biased">Whether there is a bias.</param>
/// <param name="modulated">Whether there are a scale and a shift.</param>
internal sealed unsafe class NormKernel(float epsilon, bool centered, bool biased, bool modulated) : CpuKernel
{
    private const int Lanes = 16;

    // Numbers for which calling another thread pays.
    private const int Smallest = 8 << 10;

    private const int TasksPerProcessor = 4;

    public override string Operator => KernelOperators.Norm;

    public override void Compute(KernelContext context)
    {
        var (x, weight) = (context.Input(0), context.Input(1));
        var next = 2;
        var bias = biased ? context.Input(next++) : default;
        var scale = modulated ? context.Input(next++) : default;
        var shift = modulated ? context.Input(next) : default;
        var width = (int)weight.Count;
        var y = context.Output(x.Shape);
        if (y.Count == 0) return;

        var rows = checked((int)(x.Count / width));
        var runs = modulated ? (int)(scale.Count / width) : 1;
        if (x.Shape[^1] != width || modulated && (scale.Count != shift.Count || scale.Count != (long)runs * width || runs == 0 || rows % runs != 0))
            throw new ArgumentException($"rows [{string.Join(", ", x.Shape)}] do not meet {width} weights and {scale.Count} scales");
        var rowsPerRun = rows / runs;
        var tasks = x.Count < Smallest ? 1 : Math.Min(rows, TasksPerProcessor * Environment.ProcessorCount);
        context.For(tasks, task =>
        {
            for (var row = (int)((long)rows * task / tasks); row < (int)((long)rows * (task + 1) / tasks); row++)
            {
                nint run = modulated ? row / rowsPerRun * width : 0;
                Row(x.Data + (nint)row * width, width, weight.Data, bias.Data, modulated ? scale.Data + run : null, shift.Data + run, y.Data + (nint)row * width);
            }
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Row(float* x, int width, float* weight, float* bias, float* scale, float* shift, float* y)
    {
        // A mean in 32 bits is off by a rounding; what is left over, the mean of the distances from it, is small and known well.
        var mean = Vector512.Create(centered ? Sum(x, width) / width : 0);
        var (sum, squares) = Distances(x, width, mean);
        var rest = Vector512.Create(centered ? sum / width : 0);
        var deviation = MathF.Sqrt(squares / width - rest.ToScalar() * rest.ToScalar() + epsilon);
        var (factor, one) = (Vector512.Create(1 / deviation), Vector512<float>.One);
        var i = 0;
        for (; i + Lanes <= width; i += Lanes)
        {
            var value = (Vector512.Load(x + i) - mean - rest) * factor * Vector512.Load(weight + i);
            if (bias is not null) value += Vector512.Load(bias + i);
            if (scale is not null) value = value * (Vector512.Load(scale + i) + one) + Vector512.Load(shift + i);
            value.Store(y + i);
        }

        for (; i < width; i++)
        {
            var value = (x[i] - mean.ToScalar() - rest.ToScalar()) * factor.ToScalar() * weight[i];
            if (bias is not null) value += bias[i];
            if (scale is not null) value = value * (scale[i] + 1) + shift[i];
            y[i] = value;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum(float* x, int width)
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
        var i = 0;
        for (; i + 4 * Lanes <= width; i += 4 * Lanes)
        {
            s0 += Vector512.Load(x + i);
            s1 += Vector512.Load(x + i + Lanes);
            s2 += Vector512.Load(x + i + 2 * Lanes);
            s3 += Vector512.Load(x + i + 3 * Lanes);
        }

        for (; i < width; i += Lanes) s0 += Avx512F.MaskLoad(x + i, Inside(width - i), Vector512<float>.Zero);
        return Vector512.Sum(s0 + s1 + (s2 + s3));
    }

    // The sums of the distances from the mean, and of their squares.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (float Sum, float Squares) Distances(float* x, int width, Vector512<float> mean)
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default, q0 = default, q1 = default, q2 = default, q3 = default;
        var i = 0;
        for (; i + 4 * Lanes <= width; i += 4 * Lanes)
        {
            Take(Vector512.Load(x + i) - mean, ref s0, ref q0);
            Take(Vector512.Load(x + i + Lanes) - mean, ref s1, ref q1);
            Take(Vector512.Load(x + i + 2 * Lanes) - mean, ref s2, ref q2);
            Take(Vector512.Load(x + i + 3 * Lanes) - mean, ref s3, ref q3);
        }

        // Beyond the end stands the mean, whose distance is none.
        for (; i < width; i += Lanes) Take(Avx512F.MaskLoad(x + i, Inside(width - i), mean) - mean, ref s0, ref q0);
        return (Vector512.Sum(s0 + s1 + (s2 + s3)), Vector512.Sum(q0 + q1 + (q2 + q3)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Take(Vector512<float> distance, ref Vector512<float> sum, ref Vector512<float> squares)
    {
        sum += distance;
        squares = Vector512.FusedMultiplyAdd(distance, distance, squares);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Inside(int count) => Vector512.LessThan(Vector512.CreateSequence(0, 1), Vector512.Create(count)).AsSingle();
}
