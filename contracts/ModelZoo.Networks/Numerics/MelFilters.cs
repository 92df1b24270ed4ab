namespace ModelZoo.Networks.Numerics;

/// <summary>Triangular filters that are evenly spaced on a mel scale.</summary>
public static class MelFilters
{
    /// <summary>Slaney's scale: linear below 1 kHz, logarithmic above (Auditory Toolbox).</summary>
    public static double SlaneyMel(double hertz) => hertz < 1000 ? hertz * 3 / 200 : 15 + Math.Log(hertz / 1000) * 27 / Math.Log(6.4);

    /// <summary>The HTK scale: 2595 log10(1 + f / 700).</summary>
    public static double HtkMel(double hertz) => 2595 * Math.Log10(1 + hertz / 700);

    /// <summary>Kaldi's scale: 1127 ln(1 + f / 700).</summary>
    public static double KaldiMel(double hertz) => 1127 * Math.Log(1 + hertz / 700);

    /// <summary>librosa's filters (mels, bins): Slaney's scale, each of unit area, or of unit height.</summary>
    /// <param name="sampleRate">Samples per second.</param>
    /// <param name="fftSize">Points of a transform.</param>
    /// <param name="mels">Number of filters.</param>
    /// <param name="low">Lowest frequency.</param>
    /// <param name="high">Highest frequency; filters beyond half the rate are zeros.</param>
    /// <param name="unitArea">Filters of unit area.</param>
    /// <param name="lastBin">Frequency of the last bin; null is where a transform has it.</param>
    public static double[,] Slaney(int sampleRate, int fftSize, int mels, double low, double high, bool unitArea = true, double? lastBin = null) =>
        Hertz(lastBin ?? LastBin(sampleRate, fftSize), fftSize, mels, SlaneyMel, mel => mel < 15 ? mel * 200 / 3 : 1000 * Math.Exp((mel - 15) * Math.Log(6.4) / 27), low, high, unitArea);

    /// <summary>torchaudio's filters (mels, bins): HTK scale, of unit height.</summary>
    /// <param name="sampleRate">Samples per second.</param>
    /// <param name="fftSize">Points of a transform.</param>
    /// <param name="mels">Number of filters.</param>
    /// <param name="low">Lowest frequency.</param>
    /// <param name="high">Highest frequency.</param>
    /// <param name="unitArea">Filters of unit area.</param>
    /// <param name="lastBin">Frequency of the last bin; null is half the rate in whole numbers, as torchaudio has it.</param>
    public static double[,] Htk(int sampleRate, int fftSize, int mels, double low, double high, bool unitArea = false, double? lastBin = null) =>
        Hertz(lastBin ?? sampleRate / 2, fftSize, mels, HtkMel, mel => 700 * (Math.Pow(10, mel / 2595) - 1), low, high, unitArea);

    /// <summary>Kaldi's filters (mels, bins): triangles in mel, without the Nyquist bin.</summary>
    public static double[,] Kaldi(int sampleRate, int fftSize, int mels, double low, double high)
    {
        var (first, step) = (KaldiMel(low), (KaldiMel(high) - KaldiMel(low)) / (mels + 1));
        var result = new double[mels, fftSize / 2 + 1];
        for (var m = 0; m < mels; m++)
        {
            var (left, centre, right) = (first + m * step, first + (m + 1) * step, first + (m + 2) * step);
            for (var k = 0; k < fftSize / 2; k++)
            {
                var mel = KaldiMel((double)sampleRate / fftSize * k);
                result[m, k] = Math.Max(0, Math.Min((mel - left) / (centre - left), (right - mel) / (right - centre)));
            }
        }

        return result;
    }

    /// <summary>Filters (mels, bins) applied to spectra (bins, frames).</summary>
    public static double[,] Apply(double[,] filters, double[,] spectra)
    {
        var (mels, bins, frames) = (filters.GetLength(0), filters.GetLength(1), spectra.GetLength(1));
        var result = new double[mels, frames];
        for (var m = 0; m < mels; m++)
        {
            for (var k = 0; k < bins; k++)
            {
                var factor = filters[m, k];
                if (factor == 0) continue;
                for (var t = 0; t < frames; t++) result[m, t] += factor * spectra[k, t];
            }
        }

        return result;
    }

    /// <summary>The frequency of the last bin of a transform: half the rate, or less when the transform has an odd number of points.</summary>
    public static double LastBin(int sampleRate, int fftSize) => (double)sampleRate / fftSize * (fftSize / 2);

    private static double[,] Hertz(
        double lastBin, int fftSize, int mels, Func<double, double> toMel, Func<double, double> toHertz, double low, double high, bool unitArea)
    {
        var (first, last) = (toMel(low), toMel(high));
        var edges = Enumerable.Range(0, mels + 2).Select(i => toHertz(first + i * (last - first) / (mels + 1))).ToArray();
        var result = new double[mels, fftSize / 2 + 1];
        for (var m = 0; m < mels; m++)
        {
            var norm = unitArea ? 2 / (edges[m + 2] - edges[m]) : 1;
            for (var k = 0; k <= fftSize / 2; k++)
            {
                var f = lastBin * k / (fftSize / 2);
                result[m, k] = norm * Math.Max(0, Math.Min((f - edges[m]) / (edges[m + 1] - edges[m]), (edges[m + 2] - f) / (edges[m + 2] - edges[m + 1])));
            }
        }

        return result;
    }
}
