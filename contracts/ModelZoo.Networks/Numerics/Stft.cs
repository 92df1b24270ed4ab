namespace ModelZoo.Networks.Numerics;

/// <summary>Short-time power spectra.</summary>
/// <param name="FftSize">Points of each transform.</param>
/// <param name="Hop">Samples between frames.</param>
/// <param name="Window">At most as long as a transform; a shorter one stands in its middle.</param>
public sealed record Stft(int FftSize, int Hop, double[] Window)
{
    /// <summary>Bins of a spectrum of a real signal.</summary>
    public int Bins => FftSize / 2 + 1;

    /// <summary>Squared magnitudes (bins, frames) of a signal that is already padded: frames lie wholly within it.</summary>
    public double[,] Power(ReadOnlySpan<double> padded)
    {
        var frames = padded.Length < FftSize ? 0 : 1 + (padded.Length - FftSize) / Hop;
        var (window, fft, result) = (Windows.Centred(Window, FftSize), new Fft(FftSize), new double[Bins, frames]);
        var (frame, power, re, im) = (new double[FftSize], new double[Bins], new double[FftSize], new double[FftSize]);
        for (var t = 0; t < frames; t++)
        {
            for (var i = 0; i < FftSize; i++) frame[i] = padded[t * Hop + i] * window[i];
            fft.Power(frame, power, re, im);
            for (var k = 0; k < power.Length; k++) result[k, t] = power[k];
        }

        return result;
    }

    /// <summary>Frames centred on multiples of the hop, the signal mirrored at its ends (torch.stft's default).</summary>
    public double[,] CentredPower(ReadOnlySpan<double> signal) => Power(Padding.Reflect(signal, FftSize / 2, FftSize / 2));
}
