using System.Numerics;
using System.Runtime.InteropServices;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Linear combinations over spans, vectorised. Destinations may be one of the operands.</summary>
internal static class SpanMath
{
    /// <summary>a x.</summary>
    public static void Scale(float a, ReadOnlySpan<float> x, Span<float> result)
    {
        var vx = Vectors(x);
        var vr = Vectors(result);
        for (var i = 0; i < vr.Length; i++) vr[i] = a * vx[i];
        for (var i = vr.Length * Vector<float>.Count; i < result.Length; i++) result[i] = a * x[i];
    }

    /// <summary>a x + b y.</summary>
    public static void Combine(float a, ReadOnlySpan<float> x, float b, ReadOnlySpan<float> y, Span<float> result)
    {
        var vx = Vectors(x);
        var vy = Vectors(y);
        var vr = Vectors(result);
        for (var i = 0; i < vr.Length; i++) vr[i] = a * vx[i] + b * vy[i];
        for (var i = vr.Length * Vector<float>.Count; i < result.Length; i++) result[i] = a * x[i] + b * y[i];
    }

    /// <summary>result += a x.</summary>
    public static void Accumulate(float a, ReadOnlySpan<float> x, Span<float> result) => Combine(1, result, a, x, result);

    /// <summary>x / d.</summary>
    public static void Divide(ReadOnlySpan<float> x, float d, Span<float> result)
    {
        var vx = Vectors(x);
        var vr = Vectors(result);
        var vd = new Vector<float>(d);
        for (var i = 0; i < vr.Length; i++) vr[i] = vx[i] / vd;
        for (var i = vr.Length * Vector<float>.Count; i < result.Length; i++) result[i] = x[i] / d;
    }

    /// <summary>(x - b y) / d.</summary>
    public static void SubtractDivide(ReadOnlySpan<float> x, float b, ReadOnlySpan<float> y, float d, Span<float> result)
    {
        var vx = Vectors(x);
        var vy = Vectors(y);
        var vr = Vectors(result);
        var vd = new Vector<float>(d);
        for (var i = 0; i < vr.Length; i++) vr[i] = (vx[i] - b * vy[i]) / vd;
        for (var i = vr.Length * Vector<float>.Count; i < result.Length; i++) result[i] = (x[i] - b * y[i]) / d;
    }

    /// <summary>x clipped to [low, high].</summary>
    public static void Clamp(Span<float> x, float low, float high)
    {
        var vx = MemoryMarshal.Cast<float, Vector<float>>(x);
        var vl = new Vector<float>(low);
        var vh = new Vector<float>(high);
        for (var i = 0; i < vx.Length; i++) vx[i] = Vector.Min(Vector.Max(vx[i], vl), vh);
        for (var i = vx.Length * Vector<float>.Count; i < x.Length; i++) x[i] = Math.Min(Math.Max(x[i], low), high);
    }

    private static ReadOnlySpan<Vector<float>> Vectors(ReadOnlySpan<float> x) => MemoryMarshal.Cast<float, Vector<float>>(x);

    private static Span<Vector<float>> Vectors(Span<float> x) => MemoryMarshal.Cast<float, Vector<float>>(x);
}
