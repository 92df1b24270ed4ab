using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Inference.Kernels;

/// <summary>What follows a linear map or a convolution in one operator with it.</summary>
internal enum Activation
{
    None,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>x Phi(x), with the error function.</summary>
    Gelu,

    /// <summary>x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).</summary>
    GeluTanh,

    /// <summary>x sigmoid(x).</summary>
    Silu,

    /// <summary>x sigmoid(1.702 x).</summary>
    QuickGelu,
}

/// <summary>Bias and activation of a tile, while it is in the first cache.</summary>
internal static unsafe class Activations
{
    /// <summary>The activation that a node of a graph is, if it is one of these.</summary>
    public static Activation Of(GraphNode node) => (node.Operator, node.Attributes.GetValueOrDefault("approximate"), node.Attributes.GetValueOrDefault("alpha")) switch
    {
        ("Relu", _, _) => Activation.Relu,
        ("Gelu", null or "none", _) => Activation.Gelu,
        ("Gelu", "tanh", _) => Activation.GeluTanh,
        ("QuickGelu", _, 1f) => Activation.Silu,
        ("QuickGelu", _, 1.702f) => Activation.QuickGelu,
        _ => Activation.None,
    };

    /// <summary>x = f(x + bias) for rows of 32 numbers.</summary>
    /// <param name="activation">f.</param>
    /// <param name="x">The first row.</param>
    /// <param name="stride">Elements from a row to the next.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="bias">32 numbers, or none.</param>
    public static void Finish(Activation activation, float* x, nint stride, int rows, float* bias)
    {
        switch (activation)
        {
            case Activation.Relu: Finish<ReluOf>(x, stride, rows, bias); break;
            case Activation.Gelu: Finish<GeluOf>(x, stride, rows, bias); break;
            case Activation.GeluTanh: Finish<GeluTanhOf>(x, stride, rows, bias); break;
            case Activation.Silu: Finish<SiluOf>(x, stride, rows, bias); break;
            case Activation.QuickGelu: Finish<QuickGeluOf>(x, stride, rows, bias); break;
            default: if (bias is not null) Finish<Same>(x, stride, rows, bias); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish<TFunction>(float* x, nint stride, int rows, float* bias) where TFunction : struct, IFunction
    {
        Vector512<float> left = default, right = default;
        if (bias is not null) (left, right) = (Vector512.Load(bias), Vector512.Load(bias + 16));
        for (var row = 0; row < rows; row++, x += stride)
        {
            TFunction.Of(Vector512.Load(x) + left).Store(x);
            TFunction.Of(Vector512.Load(x + 16) + right).Store(x + 16);
        }
    }

    private interface IFunction
    {
        static abstract Vector512<float> Of(Vector512<float> x);
    }

    private readonly struct Same : IFunction
    {
        public static Vector512<float> Of(Vector512<float> x) => x;
    }

    private readonly struct ReluOf : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Of(Vector512<float> x) => Vector512.Max(x, Vector512<float>.Zero);
    }

    private readonly struct GeluOf : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Of(Vector512<float> x) => 0.5f * x * (Vector512<float>.One + VectorMath.Erf(x * 0.70710678f));
    }

    private readonly struct GeluTanhOf : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Of(Vector512<float> x) => 0.5f * x * (Vector512<float>.One + VectorMath.Tanh(0.79788456f * (x + 0.044715f * x * x * x)));
    }

    private readonly struct SiluOf : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Of(Vector512<float> x) => x * VectorMath.Sigmoid(x);
    }

    private readonly struct QuickGeluOf : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Of(Vector512<float> x) => x * VectorMath.Sigmoid(1.702f * x);
    }
}
