using System.Runtime.Intrinsics;
using ModelZoo.Inference.Kernels;

namespace ModelZoo.Inference.Tests.Kernels;

public sealed class VectorMathTests
{
    private static readonly bool Runs = Vector512.IsHardwareAccelerated;

    [Fact]
    public void Exp_FloatsOfEverySize_AreRightToTwoUnits() => Check(VectorMath.Exp, Math.Exp);

    [Fact]
    public void Exp2_FloatsOfEverySize_AreRightToTwoUnits() => Check(VectorMath.Exp2, x => Math.Pow(2, x));

    [Fact]
    public void Tanh_FloatsOfEverySize_AreRightToTwoUnits() => Check(VectorMath.Tanh, Math.Tanh);

    [Fact]
    public void Sigmoid_FloatsOfEverySize_AreRightToTwoUnits() => Check(VectorMath.Sigmoid, x => x < 0 ? Math.Exp(x) / (1 + Math.Exp(x)) : 1 / (1 + Math.Exp(-x)));

    [Fact]
    public void Erf_FloatsOfEverySize_AreRightToTwoUnits() => Check(VectorMath.Erf, Erf);

    private static void Check(Func<Vector512<float>, Vector512<float>> function, Func<double, double> expected)
    {
        if (!Runs) return;
        var values = new float[16];
        var worst = (Units: 0.0, X: 0f, Y: 0f);
        void Flush()
        {
            var results = function(Vector512.Create(values));
            for (var i = 0; i < 16; i++)
            {
                var units = Units(results[i], expected(values[i]));
                if (!(units <= worst.Units)) worst = (units, values[i], results[i]);
            }
        }

        // Every 2039th float of both signs, with the infinities and NaN at the ends of each half.
        var count = 0;
        float[] special = [0f, -0f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, float.Epsilon, float.MaxValue, -float.MaxValue, -1e30f];
        var floats = Enumerable.Range(0, (int)(0x7F800000L / 2039)).SelectMany(i => (float[])[BitConverter.Int32BitsToSingle(i * 2039), -BitConverter.Int32BitsToSingle(i * 2039)]);
        foreach (var x in special.Concat(floats).Concat(new float[16]))
        {
            values[count++ % 16] = x;
            if (count % 16 == 0) Flush();
        }

        Assert.True(worst.Units <= 2, $"{worst.Units:F2} units at {worst.X:R}: {worst.Y:R}");
    }

    // Distance in units of the last place of the expected value; below the normal numbers, of the smallest of these.
    private static double Units(float found, double expected)
    {
        if (double.IsNaN(expected)) return float.IsNaN(found) ? 0 : double.PositiveInfinity;
        if (Math.Abs(expected) > float.MaxValue) return found == (float)expected ? 0 : double.PositiveInfinity;
        var unit = Math.ScaleB(1, Math.Max(-126, expected == 0 ? -126 : Math.ILogB(expected)) - 23);
        return Math.Abs(found - expected) / unit;
    }

    // Its series below 2.5, its continued fraction above.
    private static double Erf(double x)
    {
        if (double.IsNaN(x)) return x;
        var size = Math.Abs(x);
        if (size > 6) return Math.Sign(x);
        if (size < 2.5)
        {
            var (term, sum) = (x, x);
            for (var n = 1; n < 60; n++)
            {
                term *= -x * x / n;
                sum += term / (2 * n + 1);
            }

            return 2 / Math.Sqrt(Math.PI) * sum;
        }

        var fraction = size;
        for (var k = 80; k > 0; k--) fraction = size + k / 2.0 / fraction;
        return Math.Sign(x) * (1 - Math.Exp(-size * size) / Math.Sqrt(Math.PI) / fraction);
    }
}
