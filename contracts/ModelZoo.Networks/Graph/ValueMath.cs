using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>How the Gaussian error linear unit is computed.</summary>
public enum Gelu
{
    /// <summary>x Phi(x), with the error function.</summary>
    Exact,
    /// <summary>The tanh approximation (<c>gelu_new</c>, <c>gelu_pytorch_tanh</c>).</summary>
    Tanh,
}

/// <summary>Elementwise operations.</summary>
public static class ValueMath
{
    /// <summary>An operator with one input and an output of the same type and shape.</summary>
    public static Value Unary(this Value x, string op, params ReadOnlySpan<(string Name, object Value)> attributes) => x.Graph.Node(x.Path, op, [x], x.Type, x.Shape, attributes);

    /// <summary>e^x.</summary>
    public static Value Exp(this Value x) => x.Unary("Exp");

    /// <summary>Natural logarithm.</summary>
    public static Value Log(this Value x) => x.Unary("Log");

    /// <summary>Square root.</summary>
    public static Value Sqrt(this Value x) => x.Unary("Sqrt");

    /// <summary>Absolute value.</summary>
    public static Value Abs(this Value x) => x.Unary("Abs");

    /// <summary>Sine.</summary>
    public static Value Sin(this Value x) => x.Unary("Sin");

    /// <summary>Cosine.</summary>
    public static Value Cos(this Value x) => x.Unary("Cos");

    /// <summary>Hyperbolic tangent.</summary>
    public static Value Tanh(this Value x) => x.Unary("Tanh");

    /// <summary>1 / (1 + e^-x).</summary>
    public static Value Sigmoid(this Value x) => x.Unary("Sigmoid");

    /// <summary>Error function.</summary>
    public static Value Erf(this Value x) => x.Unary("Erf");

    /// <summary>Nearest whole number, halves to even.</summary>
    public static Value Round(this Value x) => x.Unary("Round");

    /// <summary>Largest whole number not above.</summary>
    public static Value Floor(this Value x) => x.Unary("Floor");

    /// <summary>-1, 0 or 1.</summary>
    public static Value Sign(this Value x) => x.Unary("Sign");

    /// <summary>Logical not.</summary>
    public static Value Not(this Value x) => x.Unary("Not");

    /// <summary>max(x, 0).</summary>
    public static Value Relu(this Value x) => x.Unary("Relu");

    /// <summary>x where positive, else slope x.</summary>
    public static Value LeakyRelu(this Value x, double slope) => x.Unary("LeakyRelu", ("alpha", (float)slope));

    /// <summary>x where positive, else alpha (e^x - 1).</summary>
    public static Value Elu(this Value x, double alpha = 1)
    {
        if (!OnCpu(x)) return x.Unary("Elu", ("alpha", (float)alpha));
        // Bounded before the exponential: beyond, its derivative is not a number.
        var below = 1 - x.Clip(double.NegativeInfinity, 0).Exp();
        return x.Relu() - (alpha == 1 ? below : below * alpha);
    }

    /// <summary>x sigmoid(x), also called swish.</summary>
    public static Value Silu(this Value x) => x.Unary("com.microsoft:QuickGelu", ("alpha", 1f));

    /// <summary>x sigmoid(1.702 x), CLIP's activation.</summary>
    public static Value QuickGelu(this Value x) => x.Unary("com.microsoft:QuickGelu", ("alpha", 1.702f));

    /// <summary>Gaussian error linear unit.</summary>
    public static Value Gelu(this Value x, Gelu form = Networks.Gelu.Exact) => x.Unary("Gelu", ("approximate", form == Networks.Gelu.Tanh ? "tanh" : "none"));

    /// <summary>log(1 + e^x).</summary>
    public static Value Softplus(this Value x) => x.Unary("Softplus");

    /// <summary>x tanh(softplus(x)).</summary>
    public static Value Mish(this Value x)
    {
        if (!OnCpu(x)) return x.Unary("Mish");
        // tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2), which is 1 long before x = 20.
        var e = x.Min(x.Graph.Scalar(x.Type, 20)).Exp();
        var n = e * (e + 2);
        return x * (n / (n + 2));
    }

    /// <summary>x squared.</summary>
    public static Value Square(this Value x) => x * x;

    /// <summary>1 / sqrt(x).</summary>
    public static Value Rsqrt(this Value x) => 1 / x.Sqrt();

    /// <summary>x to a power.</summary>
    public static Value Pow(this Value x, double exponent) => x.Graph.Elementwise("Pow", x, x.Graph.Scalar(x.Type, exponent));

    /// <summary>The value kept within bounds.</summary>
    public static Value Clip(this Value x, double minimum, double maximum) =>
        x.Graph.Node(x.Path, "Clip", [x, x.Graph.Scalar(x.Type, minimum), x.Graph.Scalar(x.Type, maximum)], x.Type, x.Shape);

    /// <summary>The larger of two, elementwise.</summary>
    public static Value Max(this Value a, Value b) => a.Graph.Elementwise("Max", a, b);

    /// <summary>The smaller of two, elementwise.</summary>
    public static Value Min(this Value a, Value b) => a.Graph.Elementwise("Min", a, b);

    /// <summary>a &lt; b.</summary>
    public static Value Less(this Value a, Value b) => a.Graph.Elementwise("Less", a, b, ElementType.Bool);

    /// <summary>a &gt; b.</summary>
    public static Value Greater(this Value a, Value b) => a.Graph.Elementwise("Greater", a, b, ElementType.Bool);

    /// <summary>a &gt;= b.</summary>
    public static Value GreaterOrEqual(this Value a, Value b) => a.Graph.Elementwise("GreaterOrEqual", a, b, ElementType.Bool);

    /// <summary>a = b.</summary>
    public static Value Same(this Value a, Value b) => a.Graph.Elementwise("Equal", a, b, ElementType.Bool);

    /// <summary>Logical and.</summary>
    public static Value And(this Value a, Value b) => a.Graph.Elementwise("And", a, b);

    /// <summary>Logical or.</summary>
    public static Value Or(this Value a, Value b) => a.Graph.Elementwise("Or", a, b);

    /// <summary>Remainder with the divisor's sign, of whole numbers.</summary>
    public static Value Modulo(this Value a, long divisor) => a.Graph.Elementwise("Mod", a, a.Graph.Scalar(a.Type, divisor));

    /// <summary>Quotient of whole numbers, rounded down; ONNX itself rounds toward zero.</summary>
    public static Value FloorDivide(this Value a, long divisor) => (a - a.Modulo(divisor)) / a.Graph.Scalar(a.Type, divisor);

    /// <summary>Elements of <paramref name="yes"/> where the condition holds, else of <paramref name="no"/>.</summary>
    public static Value Where(this Value condition, Value yes, Value no)
    {
        var shape = Shape.Broadcast(yes.Shape, no.Shape) is { } both ? Shape.Broadcast(condition.Shape, both) : null;
        if (shape is null) throw new GraphException("Where takes tensors whose shapes fit.") { Where = condition.Path, Expected = condition.ToString(), Found = $"{yes}, {no}" };
        return condition.Graph.Node(condition.Path, "Where", [condition, yes, no], yes.Type, shape);
    }

    /// <summary>The same numbers in another type.</summary>
    public static Value Cast(this Value x, ElementType type) =>
        x.Type == type ? x : x.Graph.Node(x.Path, "Cast", [x], type, x.Shape, ("to", OnnxType(type)));

    // The processor's kernels of some activations are scalar: exponentials and products of vectors are several times as fast.
    private static bool OnCpu(Value x) => x.Graph.Device.Kind == DeviceKind.Cpu;

    internal static long OnnxType(ElementType type) => type switch
    {
        ElementType.Float32 => 1,
        ElementType.UInt8 => 2,
        ElementType.Int8 => 3,
        ElementType.Int32 => 6,
        ElementType.Int64 => 7,
        ElementType.Bool => 9,
        ElementType.Float16 => 10,
        ElementType.Float64 => 11,
        ElementType.BFloat16 => 16,
        _ => throw new GraphException($"No casts to {type}."),
    };
}
