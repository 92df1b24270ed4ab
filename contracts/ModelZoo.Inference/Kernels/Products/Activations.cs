using System.Numerics.Tensors;

namespace ModelZoo.Inference.Kernels;

/// <summary>What follows a linear map in one operator with it.</summary>
internal enum Activation
{
    None,
    Relu,
}

/// <summary>Activations of a run of numbers, with a bias before.</summary>
internal static unsafe class Activations
{
    /// <summary>x = f(x + bias) for <paramref name="count"/> numbers.</summary>
    public static void Apply(Activation activation, float* x, float* bias, int count)
    {
        var values = new Span<float>(x, count);
        if (bias is not null) TensorPrimitives.Add(values, new ReadOnlySpan<float>(bias, count), values);
        if (activation == Activation.Relu) TensorPrimitives.Max(values, 0f, values);
    }
}
