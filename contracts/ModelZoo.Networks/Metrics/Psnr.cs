namespace ModelZoo.Networks.Metrics;

/// <summary>Peak signal-to-noise ratio in decibels: 10 log10(range² / mean squared error).</summary>
public static class Psnr
{
    /// <summary>Of two signals of equal length.</summary>
    /// <param name="range">Difference between the largest and the smallest value that a sample can take.</param>
    public static double Compute(ReadOnlySpan<float> output, ReadOnlySpan<float> reference, double range)
    {
        var squares = 0.0;
        for (var i = 0; i < output.Length; i++) squares += Square((double)output[i] - reference[i]);
        return 10 * Math.Log10(range * range / (squares / output.Length));
    }

    private static double Square(double x) => x * x;
}
