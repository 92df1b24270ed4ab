// Algorithm AS 241: The Percentage Points of the Normal Distribution. Wichura. Applied Statistics 37 (1988), PPND16.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Networks.Numerics;

/// <summary>The standard normal distribution, in basic arithmetic only: the same bits on every machine.</summary>
public static class NormalDistribution
{
    private static ReadOnlySpan<double> CentreUp =>
        [3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3];
    private static ReadOnlySpan<double> CentreDown =>
        [1, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3, 2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4, 5.2264952788528545610e+3];
    private static ReadOnlySpan<double> MiddleUp =>
        [1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4];
    private static ReadOnlySpan<double> MiddleDown =>
        [1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9];
    private static ReadOnlySpan<double> TailUp =>
        [6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7];
    private static ReadOnlySpan<double> TailDown =>
        [1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15];

    /// <summary>The x below which a share <paramref name="p"/> of the distribution lies, 0 &lt; p &lt; 1.</summary>
    public static double Inverse(double p)
    {
        var q = p - 0.5;
        if (Math.Abs(q) <= 0.425)
        {
            var r = 0.180625 - q * q;
            return q * (Polynomial(CentreUp, r) / Polynomial(CentreDown, r));
        }

        var tail = Math.Sqrt(-Log(q < 0 ? p : 1 - p));
        var x = tail <= 5
            ? Polynomial(MiddleUp, tail - 1.6) / Polynomial(MiddleDown, tail - 1.6)
            : Polynomial(TailUp, tail - 5) / Polynomial(TailDown, tail - 5);
        return q < 0 ? -x : x;
    }

    /// <summary>Replaces shares by what <see cref="Inverse(double)"/> gives for each, to the last bit, four at a time: the same operations in the same order.</summary>
    public static void Inverse(Span<double> shares)
    {
        // First the centre, where 85 of 100 lie; then the others together.
        Span<double> far = stackalloc double[Chunk];
        Span<int> places = stackalloc int[Chunk];
        for (; shares.Length > 0; shares = shares[Math.Min(Chunk, shares.Length)..])
        {
            var part = shares[..Math.Min(Chunk, shares.Length)];
            var count = 0;
            for (var i = 0; i < part.Length; i++)
            {
                (far[count], places[count]) = (part[i], i);
                if (Math.Abs(part[i] - 0.5) > 0.425) count++;
            }

            var vectors = MemoryMarshal.Cast<double, Vector256<double>>(part);
            for (var i = 0; i < vectors.Length; i++)
            {
                var q = vectors[i] - Vector256.Create(0.5);
                var r = Vector256.Create(0.180625) - q * q;
                vectors[i] = q * (Polynomial(CentreUp, r) / Polynomial(CentreDown, r));
            }

            for (var i = vectors.Length * Vector256<double>.Count; i < part.Length; i++) part[i] = Inverse(part[i]);
            Tails(far[..count]);
            for (var i = 0; i < count; i++) part[places[i]] = far[i];
        }
    }

    private const int Chunk = 256;

    private static void Tails(Span<double> shares)
    {
        var vectors = MemoryMarshal.Cast<double, Vector256<double>>(shares);
        for (var i = 0; i < vectors.Length; i++)
        {
            var isLower = Vector256.LessThan(vectors[i], Vector256.Create(0.5));
            var tail = Vector256.Sqrt(-Log(Vector256.ConditionalSelect(isLower, vectors[i], Vector256<double>.One - vectors[i])));
            var r = tail - Vector256.Create(1.6);
            var x = Polynomial(MiddleUp, r) / Polynomial(MiddleDown, r);
            var isFarthest = Vector256.GreaterThan(tail, Vector256.Create(5.0));
            if (isFarthest != Vector256<double>.Zero)
            {
                var s = tail - Vector256.Create(5.0);
                x = Vector256.ConditionalSelect(isFarthest, Polynomial(TailUp, s) / Polynomial(TailDown, s), x);
            }

            vectors[i] = Vector256.ConditionalSelect(isLower, -x, x);
        }

        for (var i = vectors.Length * Vector256<double>.Count; i < shares.Length; i++) shares[i] = Inverse(shares[i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Polynomial(ReadOnlySpan<double> coefficients, Vector256<double> x)
    {
        var sum = Vector256.Create(coefficients[7]);
        for (var i = 6; i >= 0; i--) sum = sum * x + Vector256.Create(coefficients[i]);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Log(Vector256<double> x)
    {
        var bits = x.AsInt64();
        var exponent = Vector256.ConvertToDouble((bits >>> 52) - Vector256.Create(1023L));
        var mantissa = ((bits & Vector256.Create(0xFFFFFFFFFFFFF)) | Vector256.Create(0x3FF0000000000000)).AsDouble();
        var isLarge = Vector256.GreaterThan(mantissa, Vector256.Create(1.4142135623730951));
        exponent = Vector256.ConditionalSelect(isLarge, exponent + Vector256<double>.One, exponent);
        mantissa = Vector256.ConditionalSelect(isLarge, mantissa / Vector256.Create(2.0), mantissa);
        var s = (mantissa - Vector256<double>.One) / (mantissa + Vector256<double>.One);
        var square = s * s;
        var sum = Vector256<double>.Zero;
        for (var k = 23; k >= 1; k -= 2) sum = sum * square + Vector256.Create(1.0 / k);
        return exponent * Vector256.Create(0.6931471805599453) + Vector256.Create(2.0) * s * sum;
    }

    private static double Polynomial(ReadOnlySpan<double> coefficients, double x)
    {
        var sum = coefficients[^1];
        for (var i = coefficients.Length - 2; i >= 0; i--) sum = sum * x + coefficients[i];
        return sum;
    }

    /// <summary>The natural logarithm of a positive, normal number: the platform's own differs between platforms.</summary>
    // ln m 2^e = e ln 2 + 2 atanh((m - 1) / (m + 1)), m within a factor of sqrt(2) of 1.
    public static double Log(double x)
    {
        var bits = BitConverter.DoubleToInt64Bits(x);
        var exponent = (int)(bits >> 52) - 1023;
        var mantissa = BitConverter.Int64BitsToDouble((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000);
        if (mantissa > 1.4142135623730951) (mantissa, exponent) = (mantissa / 2, exponent + 1);
        var s = (mantissa - 1) / (mantissa + 1);
        var square = s * s;
        var sum = 0.0;
        for (var k = 23; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
        return exponent * 0.6931471805599453 + 2 * s * sum;
    }
}
