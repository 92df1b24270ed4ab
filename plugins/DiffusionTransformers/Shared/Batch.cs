using ModelZoo.Contracts;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>Operations on batches of samples (B, C, ..) in managed memory.</summary>
internal static class Batch
{
    /// <summary>Samples one after the other.</summary>
    public static Tensor<float> Concat(params ReadOnlySpan<Tensor<float>> parts)
    {
        var shape = parts[0].Shape.ToArray();
        shape[0] = 0;
        foreach (var part in parts) shape[0] += part.Shape[0];
        var result = Tensor.Zeros<float>(shape);
        var position = 0;
        foreach (var part in parts)
        {
            part.Span.CopyTo(result.Span[position..]);
            position += part.Length;
        }

        return result;
    }

    /// <summary>Samples <paramref name="start"/> up to <paramref name="end"/>; memory is shared.</summary>
    public static Tensor<float> Range(Tensor<float> x, int start, int end)
    {
        var size = x.Length / (int)x.Shape[0];
        return new(x.Memory.Slice(start * size, (end - start) * size), [end - start, .. x.Shape[1..]]);
    }

    /// <summary>The first half of the samples; memory is shared.</summary>
    public static Tensor<float> FirstHalf(Tensor<float> x) => Range(x, 0, (int)x.Shape[0] / 2);

    /// <summary>The second half of the samples; memory is shared.</summary>
    public static Tensor<float> SecondHalf(Tensor<float> x) => Range(x, (int)x.Shape[0] / 2, (int)x.Shape[0]);

    /// <summary>The samples of the first half, twice.</summary>
    public static Tensor<float> Doubled(Tensor<float> half) => Concat(half, half);

    /// <summary>The first channels of each sample. (B, C, ..) -> (B, count, ..).</summary>
    public static Tensor<float> Channels(Tensor<float> x, int start, int count)
    {
        var (batch, channels) = ((int)x.Shape[0], (int)x.Shape[1]);
        var inner = x.Length / (batch * channels);
        var result = Tensor.Zeros<float>([batch, count, .. x.Shape[2..]]);
        for (var b = 0; b < batch; b++) x.Span.Slice((b * channels + start) * inner, count * inner).CopyTo(result.Span.Slice(b * count * inner, count * inner));
        return result;
    }

    /// <summary>A copy.</summary>
    public static Tensor<float> Copy(Tensor<float> x) => new(x.Span.ToArray(), x.Shape);

    /// <summary>States of a run as one tensor with a leading dimension of steps.</summary>
    public static Tensor<float> Stack(IReadOnlyList<Tensor<float>> steps)
    {
        var result = Tensor.Zeros<float>([steps.Count, .. steps[0].Shape]);
        for (var i = 0; i < steps.Count; i++) steps[i].Span.CopyTo(result.Span[(i * steps[0].Length)..]);
        return result;
    }

    /// <summary>a x + y, in a new tensor.</summary>
    public static Tensor<float> AddScaled(Tensor<float> y, float a, Tensor<float> x)
    {
        var result = Tensor.Zeros<float>(y.Shape);
        TensorPrimitives.MultiplyAdd(x.Span, a, y.Span, result.Span);
        return result;
    }

    /// <summary>One value for each sample.</summary>
    public static Tensor<float> Filled(long count, float value)
    {
        var result = Tensor.Zeros<float>(count);
        result.Span.Fill(value);
        return result;
    }
}
