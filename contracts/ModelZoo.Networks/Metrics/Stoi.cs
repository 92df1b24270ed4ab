// An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech. Taal, Hendriks, Heusdens, Jensen. IEEE TASLP 19 (2011). Extended: Jensen, Taal 2016. As in pystoi.
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Metrics;

/// <summary>Short-time objective intelligibility: correlation of band envelopes of clean and degraded speech.</summary>
public static class Stoi
{
    private const int SampleRate = 10000;
    private const int FrameLength = 256;
    private const int FftSize = 512;
    private const int Bands = 15;
    private const double LowestCentre = 150;
    private const int Segment = 30;
    private const double DynamicRange = 40;
    private const double Epsilon = 2.220446049250313e-16;
    private static readonly double Clip = 1 + Math.Pow(10, 15 / 20.0);

    /// <summary>Between 0 and 1 for most speech. Signals of other rates are resampled to 10 kHz.</summary>
    /// <param name="extended">ESTOI, for modulated noise.</param>
    public static double Compute(ReadOnlySpan<float> clean, ReadOnlySpan<float> degraded, int sampleRate, bool extended = false)
    {
        var (x, y) = (OctaveResampler.Resample(clean, SampleRate, sampleRate), OctaveResampler.Resample(degraded, SampleRate, sampleRate));
        (x, y) = WithoutSilence(x, y);
        var (bandsX, bandsY) = (Envelopes(x), Envelopes(y));
        var segments = bandsX.GetLength(1) - Segment + 1;
        if (segments < 1) return 1e-5;
        var sum = 0.0;
        for (var start = 0; start < segments; start++) sum += extended ? Extended(Cut(bandsX, start), Cut(bandsY, start)) : Plain(Cut(bandsX, start), Cut(bandsY, start)) / Bands;
        return sum / segments;
    }

    // Each band: the degraded envelope scaled to the clean one's energy, clipped at -15 dB signal to distortion, then correlated.
    private static double Plain(double[][] x, double[][] y)
    {
        var total = 0.0;
        for (var band = 0; band < Bands; band++)
        {
            var scale = Norm(x[band]) / (Norm(y[band]) + Epsilon);
            var clipped = x[band].Zip(y[band], (a, b) => Math.Min(b * scale, a * Clip)).ToArray();
            var (a, b) = (Centred(x[band]), Centred(clipped));
            total += a.Zip(b, (p, q) => p * q).Sum() / ((Norm(a) + Epsilon) * (Norm(b) + Epsilon));
        }

        return total;
    }

    // Rows, then columns, normalised to zero mean and unit norm.
    private static double Extended(double[][] x, double[][] y) =>
        Transposed(Normalized(Transposed(Normalized(x)))).Zip(Transposed(Normalized(Transposed(Normalized(y)))), (a, b) => a.Zip(b, (p, q) => p * q).Sum()).Sum() / Segment;

    private static double[][] Normalized(double[][] rows) => [.. rows.Select(row =>
    {
        var centred = Centred(row);
        var norm = Norm(centred);
        return Array.ConvertAll(centred, value => value / norm);
    })];

    private static double[][] Transposed(double[][] rows) => [.. Enumerable.Range(0, rows[0].Length).Select(j => rows.Select(row => row[j]).ToArray())];

    private static double[] Centred(double[] values)
    {
        var mean = values.Average();
        return Array.ConvertAll(values, value => value - mean);
    }

    private static double Norm(double[] values) => Math.Sqrt(values.Sum(value => value * value));

    private static double[][] Cut(double[,] bands, int start) => [.. Enumerable.Range(0, Bands).Select(band => Enumerable.Range(start, Segment).Select(t => bands[band, t]).ToArray())];

    // A Hann window without its zero ends, as in Matlab.
    private static double[] Window() => Windows.SymmetricHann(FrameLength + 2)[1..^1];

    // Frames 40 dB below the loudest are left out of both signals, the rest overlapped and added again.
    private static (double[] X, double[] Y) WithoutSilence(double[] x, double[] y)
    {
        var (window, hop) = (Window(), FrameLength / 2);
        var starts = Enumerable.Range(0, Math.Max(0, (x.Length - FrameLength + hop - 1) / hop)).Select(i => i * hop).ToArray();
        var levels = starts.Select(start => 20 * Math.Log10(Norm([.. window.Select((w, i) => w * x[start + i])]) + Epsilon)).ToArray();
        var loudest = levels.DefaultIfEmpty(0).Max();
        var kept = starts.Where((_, i) => loudest - DynamicRange - levels[i] < 0).ToArray();
        return (Joined(x), Joined(y));

        double[] Joined(double[] signal)
        {
            var result = new double[kept.Length == 0 ? 0 : (kept.Length - 1) * hop + FrameLength];
            for (var frame = 0; frame < kept.Length; frame++)
            {
                for (var i = 0; i < FrameLength; i++) result[frame * hop + i] += window[i] * signal[kept[frame] + i];
            }

            return result;
        }
    }

    // Root of the power in third-octave bands (bands, frames).
    private static double[,] Envelopes(double[] signal)
    {
        var (window, hop) = (Window(), FrameLength / 2);
        var frames = Math.Max(0, (signal.Length - FrameLength + hop - 1) / hop);
        var (fft, result) = (new Fft(FftSize), new double[Bands, frames]);
        var (frame, power, re, im) = (new double[FrameLength], new double[FftSize / 2 + 1], new double[FftSize], new double[FftSize]);
        for (var t = 0; t < frames; t++)
        {
            for (var i = 0; i < FrameLength; i++) frame[i] = window[i] * signal[t * hop + i];
            fft.Power(frame, power, re, im);
            for (var band = 0; band < Bands; band++)
            {
                var (low, high) = (Bin((2 * band - 1) / 6.0), Bin((2 * band + 1) / 6.0));
                var sum = 0.0;
                for (var k = low; k < high; k++) sum += power[k];
                result[band, t] = Math.Sqrt(sum);
            }
        }

        return result;

        // The first of the nearest bins.
        static int Bin(double octaves) => (int)Math.Ceiling(LowestCentre * Math.Pow(2, octaves) * FftSize / SampleRate - 0.5);
    }
}
