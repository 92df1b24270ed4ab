using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Noise levels between a largest and a smallest, and the training steps that they belong to. Double precision; schedulers round at the end.</summary>
internal static class SigmaSpacing
{
    /// <summary>Noise level of each training step: sqrt((1 - alpha-bar) / alpha-bar).</summary>
    public static float[] Training(float[] alphasCumprod) => Array.ConvertAll(alphasCumprod, a => MathF.Sqrt((1 - a) / a));

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
