// SDR - half-baked or well done? Le Roux, Wisdom, Erdogan, Hershey. arXiv:1811.02508.
namespace ModelZoo.Networks.Metrics;

/// <summary>Ratios of signal to distortion in decibels, guarded by float32's epsilon as torchmetrics does.</summary>
public static class SiSdr
{
    private const double Epsilon = 1.1920928955078125e-07;

    /// <summary>Scale-invariant: the reference is scaled to fit the output best.</summary>
    /// <param name="zeroMean">Remove both means first (SI-SNR).</param>
    public static double Compute(ReadOnlySpan<float> output, ReadOnlySpan<float> reference, bool zeroMean = false)
    {
        var (meanOutput, meanReference) = zeroMean ? (Mean(output), Mean(reference)) : (0, 0);
        var (product, power) = (0.0, 0.0);
        for (var i = 0; i < output.Length; i++)
        {
            var r = reference[i] - meanReference;
            product += (output[i] - meanOutput) * r;
            power += r * r;
        }

        var scale = (product + Epsilon) / (power + Epsilon);
        var (signal, noise) = (0.0, 0.0);
        for (var i = 0; i < output.Length; i++)
        {
            var target = scale * (reference[i] - meanReference);
            var error = target - (output[i] - meanOutput);
            signal += target * target;
            noise += error * error;
        }

        return 10 * Math.Log10((signal + Epsilon) / (noise + Epsilon));
    }

    /// <summary>Plain signal-to-noise ratio: what differs from the reference is noise.</summary>
    /// <param name="zeroMean">Remove both means first.</param>
    public static double SignalToNoise(ReadOnlySpan<float> output, ReadOnlySpan<float> reference, bool zeroMean = false)
    {
        var (meanOutput, meanReference) = zeroMean ? (Mean(output), Mean(reference)) : (0, 0);
        var (signal, noise) = (0.0, 0.0);
        for (var i = 0; i < output.Length; i++)
        {
            var r = reference[i] - meanReference;
            var error = r - (output[i] - meanOutput);
            signal += r * r;
            noise += error * error;
        }

        return 10 * Math.Log10((signal + Epsilon) / (noise + Epsilon));
    }

    private static double Mean(ReadOnlySpan<float> signal)
    {
        var sum = 0.0;
        foreach (var x in signal) sum += x;
        return sum / signal.Length;
    }
}
