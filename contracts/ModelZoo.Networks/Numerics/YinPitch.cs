// YIN, a fundamental frequency estimator for speech and music. de Cheveigné, Kawahara. JASA 111 (2002); as in NVIDIA/mellotron.
namespace ModelZoo.Networks.Numerics;

/// <summary>Fundamental frequency of each frame.</summary>
/// <param name="SampleRate">Samples per second.</param>
/// <param name="Window">Samples of a frame.</param>
/// <param name="Hop">Samples between frames.</param>
/// <param name="Lowest">Lowest frequency in hertz.</param>
/// <param name="Highest">Highest frequency in hertz.</param>
/// <param name="Threshold">Frames whose normalised difference stays above it are unvoiced.</param>
public sealed record YinPitch(int SampleRate, int Window = 512, int Hop = 256, double Lowest = 100, double Highest = 500, double Threshold = 0.1)
{
    /// <summary>Pitch (0 where unvoiced), aperiodicity at that pitch, and the pitch of the smallest aperiodicity, of each frame that lies wholly within the signal.</summary>
    public (double[] Pitch, double[] HarmonicRate, double[] ArgminPitch) Estimate(ReadOnlySpan<float> signal)
    {
        var (tauMin, tauMax) = ((int)(SampleRate / Highest), Math.Min((int)(SampleRate / Lowest), Window));
        var frames = Math.Max(0, (signal.Length - Window + Hop - 1) / Hop);
        var (pitch, rate, argmin) = (new double[frames], new double[frames], new double[frames]);
        var size = 1;
        while (size < Window + tauMax) size *= 2;
        var fft = new Fft(size);
        for (var i = 0; i < frames; i++)
        {
            var difference = NormalizedDifference(signal.Slice(i * Hop, Window), tauMax, fft);
            var smallest = Smallest(difference);
            if (smallest > tauMin) argmin[i] = (double)SampleRate / smallest;
            var tau = FirstDip(difference, tauMin);
            pitch[i] = tau == 0 ? 0 : (double)SampleRate / tau;
            rate[i] = tau == 0 ? difference.Where(d => !double.IsNaN(d)).Min() : difference[tau];
        }

        return (pitch, rate, argmin);
    }

    // Equations 6 and 8; the correlation by Fourier transform.
    private static double[] NormalizedDifference(ReadOnlySpan<float> frame, int tauMax, Fft fft)
    {
        var (re, im, energy) = (new double[fft.Length], new double[fft.Length], new double[frame.Length + 1]);
        for (var i = 0; i < frame.Length; i++)
        {
            re[i] = frame[i];
            energy[i + 1] = energy[i] + (double)frame[i] * frame[i];
        }

        fft.Forward(re, im);
        for (var k = 0; k < re.Length; k++) (re[k], im[k]) = (re[k] * re[k] + im[k] * im[k], 0);
        fft.Inverse(re, im);
        var (result, sum) = (new double[tauMax], 0.0);
        result[0] = 1;
        for (var tau = 1; tau < tauMax; tau++)
        {
            var difference = energy[frame.Length - tau] + energy[frame.Length] - energy[tau] - 2 * re[tau];
            sum += difference;
            result[tau] = difference * tau / sum;
        }

        return result;
    }

    private int FirstDip(double[] difference, int tauMin)
    {
        for (var tau = tauMin; tau < difference.Length; tau++)
        {
            if (difference[tau] >= Threshold || double.IsNaN(difference[tau])) continue;
            while (tau + 1 < difference.Length && difference[tau + 1] < difference[tau]) tau++;
            return tau;
        }

        return 0;
    }

    // Of silence nothing is smallest: the first undefined entry stands for it.
    private static int Smallest(double[] difference)
    {
        var undefined = Array.FindIndex(difference, double.IsNaN);
        return undefined >= 0 ? undefined : Array.IndexOf(difference, difference.Min());
    }
}
