// High-Fidelity Audio Compression with Improved RVQGAN (Descript Audio Codec). Kumar et al. arXiv:2306.06546: the reconstruction distances of its evaluation.
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Metrics;

/// <summary>Distances of magnitude spectra over several window lengths: mean absolute difference of magnitudes and of their logarithms. Hop is a quarter of the window.</summary>
public sealed record SpectralDistance
{
    /// <summary>Smallest magnitude within the logarithm.</summary>
    public double ClampEpsilon { get; init; } = 1e-5;

    /// <summary>Weight of the magnitudes.</summary>
    public double MagnitudeWeight { get; init; } = 1;

    /// <summary>Weight of the logarithms.</summary>
    public double LogWeight { get; init; } = 1;

    /// <summary>Power of a magnitude before its logarithm.</summary>
    public double Power { get; init; } = 2;

    /// <summary>Over plain spectra, summed over window lengths.</summary>
    /// <param name="x">Signals of one length.</param>
    /// <param name="y">As many signals.</param>
    public double Stft(IReadOnlyList<float[]> x, IReadOnlyList<float[]> y, IReadOnlyList<int> windowLengths) =>
        windowLengths.Sum(window => Compare(x, y, signal => Magnitudes(signal, window)));

    /// <summary>Over mel spectra (Slaney filters), summed over window lengths: as many of them as all lists have.</summary>
    /// <param name="mels">Number of filters for each window length.</param>
    /// <param name="low">Lowest frequency of each; null is two of 0, as published.</param>
    /// <param name="high">Highest frequency of each, null in it half the sampling rate; null is two of those.</param>
    public double Mel(
        IReadOnlyList<float[]> x, IReadOnlyList<float[]> y, int sampleRate, IReadOnlyList<int> windowLengths, IReadOnlyList<int> mels,
        IReadOnlyList<double>? low = null, IReadOnlyList<double?>? high = null)
    {
        (low, high) = (low ?? [0, 0], high ?? [null, null]);
        var total = 0.0;
        for (var i = 0; i < Math.Min(Math.Min(windowLengths.Count, mels.Count), Math.Min(low.Count, high.Count)); i++)
        {
            var (window, filters) = (windowLengths[i], Filters(sampleRate, windowLengths[i], mels[i], low[i], high[i]));
            total += Compare(x, y, signal => MelFilters.Apply(filters, Magnitudes(signal, window)));
        }

        return total;
    }

    /// <summary>The mel filters (mels, bins) of a window length: those of as many points as its bins tell, which is one less when it is odd.</summary>
    public static double[,] Filters(int sampleRate, int window, int mels, double low = 0, double? high = null) =>
        MelFilters.Slaney(sampleRate, window / 2 * 2, mels, low, high ?? sampleRate / 2.0);

    /// <summary>Magnitudes (bins, frames) of a signal under a periodic Hann window, frames centred.</summary>
    public static double[,] Magnitudes(float[] signal, int window)
    {
        var power = new Stft(window, window / 4, Windows.Hann(window)).CentredPower(Array.ConvertAll(signal, s => (double)s));
        foreach (ref var value in System.Runtime.InteropServices.MemoryMarshal.CreateSpan(ref power[0, 0], power.Length)) value = Math.Sqrt(value);
        return power;
    }

    private double Compare(IReadOnlyList<float[]> x, IReadOnlyList<float[]> y, Func<float[], double[,]> spectrum)
    {
        var (logs, magnitudes, count) = (0.0, 0.0, 0);
        for (var i = 0; i < x.Count; i++)
        {
            foreach (var (a, b) in spectrum(x[i]).Cast<double>().Zip(spectrum(y[i]).Cast<double>()))
            {
                logs += Math.Abs(Log(a) - Log(b));
                magnitudes += Math.Abs(a - b);
                count++;
            }
        }

        return (LogWeight * logs + MagnitudeWeight * magnitudes) / count;

        double Log(double magnitude) => Power * Math.Log10(Math.Max(magnitude, ClampEpsilon));
    }
}
