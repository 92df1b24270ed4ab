// Parallel WaveGAN: multi-resolution STFT loss. Yamamoto, Song, Kim. arXiv:1910.11480; as in auraloss.
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Metrics;

/// <summary>Spectral convergence, and mean absolute differences of natural-log and linear magnitudes, at one resolution.</summary>
/// <param name="FftSize">Points of a transform.</param>
/// <param name="Hop">Samples between frames.</param>
/// <param name="WindowLength">Of the periodic window, at most <paramref name="FftSize"/>.</param>
public sealed record StftLoss(int FftSize, int Hop, int WindowLength)
{
    /// <summary>The window's name: <see cref="Windows.Named"/>.</summary>
    public string Window { get; init; } = "hann_window";

    /// <summary>Weight of the spectral convergence.</summary>
    public double ConvergenceWeight { get; init; } = 1;

    /// <summary>Weight of the logarithms.</summary>
    public double LogWeight { get; init; } = 1;

    /// <summary>Weight of the magnitudes.</summary>
    public double LinearWeight { get; init; }

    /// <summary>Taps that signals are filtered with before, such as <see cref="AWeighting.Filter"/>; null for none.</summary>
    public double[]? Prefilter { get; init; }

    /// <summary>Smallest squared magnitude.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Square the differences instead of taking their magnitudes.</summary>
    public bool Squared { get; init; }

    /// <summary>Sum the differences instead of averaging them.</summary>
    public bool Summed { get; init; }

    /// <summary>Scale each target's magnitudes to fit best.</summary>
    public bool ScaleInvariant { get; init; }

    /// <summary>Filters (bands, bins) that spectra are seen through; null for none.</summary>
    public double[,]? Filters { get; init; }

    /// <summary>Magnitudes (bins, frames) of a signal, frames centred.</summary>
    public double[,] Magnitudes(float[] signal)
    {
        var power = new Stft(FftSize, Hop, Windows.Named(Window, WindowLength)).CentredPower(Prefilter is null ? Array.ConvertAll(signal, s => (double)s) : AWeighting.Apply(signal, Prefilter));
        foreach (ref var value in System.Runtime.InteropServices.MemoryMarshal.CreateSpan(ref power[0, 0], power.Length)) value = Math.Sqrt(Math.Max(value, Epsilon));
        return power;
    }

    /// <summary>Over a batch of signals of one length.</summary>
    public double Compute(IReadOnlyList<float[]> input, IReadOnlyList<float[]> target)
    {
        var (difference, norm, logs, linear, count) = (0.0, 0.0, 0.0, 0.0, 0);
        for (var i = 0; i < input.Count; i++)
        {
            var (x, y) = (Seen(input[i]), Seen(target[i]));
            var scale = ScaleInvariant ? x.Zip(y, (a, b) => a * b).Sum() / y.Sum(b => b * b) : 1;
            for (var k = 0; k < x.Length; k++)
            {
                var (a, b) = (x[k], scale * y[k]);
                difference += (b - a) * (b - a);
                norm += b * b;
                logs += Distance(Math.Log(a) - Math.Log(b));
                linear += Distance(a - b);
            }

            count += Summed ? 0 : x.Length;
        }

        count = Math.Max(1, count);
        return ConvergenceWeight * Math.Sqrt(difference / norm) + (LogWeight == 0 ? 0 : LogWeight * logs / count) + LinearWeight * linear / count;

        double[] Seen(float[] signal) => [.. (Filters is null ? Magnitudes(signal) : MelFilters.Apply(Filters, Magnitudes(signal))).Cast<double>()];
        double Distance(double d) => Squared ? d * d : Math.Abs(d);
    }

    /// <summary>Mean over resolutions.</summary>
    public static double MultiResolution(IReadOnlyList<StftLoss> resolutions, IReadOnlyList<float[]> input, IReadOnlyList<float[]> target) => resolutions.Average(r => r.Compute(input, target));
}
