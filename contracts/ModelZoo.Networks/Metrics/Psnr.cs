namespace ModelZoo.Networks.Metrics;

/// <summary>Peak signal-to-noise ratio in decibels: 10 log10(range² / mean squared error).</summary>
public static class Psnr
{
    /// <summary>Of two signals of equal length.</summary>
    /// <param name="output">The signal that is measured.</param>
    /// <param name="reference">What it should be.</param>
    /// <param name="range">Difference between the largest and the smallest value that a sample can take.</param>
    public static double Compute(ReadOnlySpan<float> output, ReadOnlySpan<float> reference, double range)
    {
        var squares = 0.0;
        for (var i = 0; i < output.Length; i++) squares += Square((double)output[i] - reference[i]);
        return OfError(squares / output.Length, range);
    }

    /// <summary>Of a mean squared error, with the logarithm to a base (torchmetrics).</summary>
    public static double OfError(double meanSquare, double range, double numberBase = 10) => 10 * Math.Log(range * range / meanSquare) / Math.Log(numberBase);

    private static double Square(double x) => x * x;
}
