using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Noise levels between a largest and a smallest, and the training steps that they belong to. Double precision; schedulers round at the end.</summary>
internal static class SigmaSpacing
{
    /// <summary>Noise level of each training step: sqrt((1 - alpha-bar) / alpha-bar).</summary>
    public static float[] Training(float[] alphasCumprod) => Array.ConvertAll(alphasCumprod, a => MathF.Sqrt((1 - a) / a));

    /// <summary>
    /// The logarithm, rounded as NumPy rounds it in float32: m in (sqrt(1/2), sqrt(2)] of x = m 2^e, a quotient of polynomials in m - 1, and e log 2.
    /// The largest level lies before or after its own logarithm by the last bit, and with it the timestep before or after the last training step.
    /// </summary>
    public static float Logarithm(float value)
    {
        var exponent = MathF.ILogB(value);
        var mantissa = MathF.ScaleB(value, -exponent);
        if (mantissa > MathF.Sqrt(2)) (mantissa, exponent) = (mantissa / 2, exponent + 1);
        var x = mantissa - 1;
        var above = Polynomial(x, [2.589979117907922693523e-02f, 3.808837741388407920751e-01f, 1.480000633576506585156e+00f, 2.112677543073053063722e+00f, 9.999999999999998702752e-01f, 0]);
        var below = Polynomial(x, [5.875095403124574342950e-03f, 1.546476374983906719538e-01f, 9.864942958519418960339e-01f, 2.453006071784736363091e+00f, 2.612677543073109236779e+00f, 1]);
        return MathF.FusedMultiplyAdd(exponent, 0.693147180559945309417f, above / below);

        static float Polynomial(float x, ReadOnlySpan<float> coefficients)
        {
            var value = coefficients[0];
            foreach (var coefficient in coefficients[1..]) value = MathF.FusedMultiplyAdd(value, x, coefficient);
            return value;
        }
    }

    /// <summary>Logarithms of the levels.</summary>
    public static float[] Logarithms(float[] sigmas) => Array.ConvertAll(sigmas, Logarithm);

    /// <summary>Linear in sigma^(1/rho) (Karras et al., equation 5).</summary>
    public static double[] Karras(double max, double min, int steps, double rho = 7)
    {
        var (low, high) = (Math.Pow(min, 1 / rho), Math.Pow(max, 1 / rho));
        return Array.ConvertAll(Spacing.Linspace(0, 1, steps), ramp => Math.Pow(high + ramp * (low - high), rho));
    }

    /// <summary>Linear in log sigma.</summary>
    public static double[] Exponential(double max, double min, int steps) =>
        Array.ConvertAll(Spacing.Linspace(Math.Log(max), Math.Log(min), steps), Math.Exp);

    /// <summary>Quantiles of Beta(0.6, 0.6) ("Beta Sampling is All You Need").</summary>
    public static double[] Beta(double max, double min, int steps) =>
        Array.ConvertAll(Spacing.Linspace(0, 1, steps), ramp => min + SpecialFunctions.InverseIncompleteBeta(0.6, 0.6, 1 - ramp) * (max - min));

    /// <summary>Piecewise linear value of <paramref name="table"/> at a fractional index, held at both ends.</summary>
    public static double Interpolate(double index, ReadOnlySpan<float> table)
    {
        if (index <= 0) return table[0];
        if (index >= table.Length - 1) return table[^1];
        var low = (int)index;
        return low == index ? table[low] : ((double)table[low + 1] - table[low]) * (index - low) + table[low];
    }

    /// <summary>The training step, possibly fractional, whose noise level is <paramref name="sigma"/>.</summary>
    public static double Timestep(double sigma, ReadOnlySpan<float> logSigmas)
    {
        var log = Math.Log(Math.Max(sigma, 1e-10));
        var low = 0;
        for (var i = 0; i < logSigmas.Length; i++)
        {
            if (log - logSigmas[i] >= 0) low = i;
        }

        low = Math.Min(low, logSigmas.Length - 2);
        var weight = Math.Clamp((logSigmas[low] - log) / (logSigmas[low] - logSigmas[low + 1]), 0, 1);
        return (1 - weight) * low + weight * (low + 1);
    }

    /// <summary>A straight flow's time, shifted: s t / (1 + (s - 1) t).</summary>
    public static double Shift(double t, double shift) => shift * t / (1 + (shift - 1) * t);
}
