using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>Sound against its original: channel by channel, cut to the shorter of both.</summary>
internal static class SoundEvaluation
{
    private static readonly SpectralDistance Distance = new();
    private static readonly int[] DistanceWindows = [2048, 512];
    private static readonly int[] DistanceMels = [150, 80];
    private static readonly StftLoss[] Resolutions = [new(1024, 120, 600), new(2048, 240, 1200), new(512, 50, 240)];

    public static IReadOnlyList<IMetric> All { get; } =
    [
        Sound("si-sdr", "dB", true, "Scale-invariant signal-to-distortion ratio (arXiv:1811.02508).", 1, (x, y, _) => SiSdr.Compute(x, y)),
        Sound("si-snr", "dB", true, "Scale-invariant signal-to-noise ratio: SI-SDR of zero-mean signals.", 1, (x, y, _) => SiSdr.Compute(x, y, zeroMean: true)),
        Sound("snr", "dB", true, "Signal-to-noise ratio.", 1, (x, y, _) => SiSdr.SignalToNoise(x, y)),
        Sound("mel-distance", "", false, "Mel spectrogram distance of Descript Audio Codec's evaluation (arXiv:2306.06546): windows 2048 and 512, 150 and 80 mels.", 1025,
            (x, y, rate) => Distance.Mel([x], [y], rate, DistanceWindows, DistanceMels)),
        Sound("stft-distance", "", false, "STFT distance of Descript Audio Codec's evaluation (arXiv:2306.06546): log and linear magnitudes, windows 2048 and 512.", 1025,
            (x, y, _) => Distance.Stft([x], [y], DistanceWindows)),
        Sound("stft-loss", "", false, "Multi-resolution STFT loss (arXiv:1910.11480) with auraloss's resolutions.", 1025, (x, y, _) => StftLoss.MultiResolution(Resolutions, [x], [y])),
        Sound("stoi", "", true, "Short-time objective intelligibility (Taal et al. 2011).", 1, (x, y, rate) => Stoi.Compute(y, x, rate)),
        Sound("estoi", "", true, "Extended short-time objective intelligibility (Jensen, Taal 2016).", 1, (x, y, rate) => Stoi.Compute(y, x, rate, extended: true)),
    ];

    private static MeanMetric Sound(string name, string unit, bool higher, string description, int shortest, Func<float[], float[], int, double> measure) => new(name, unit, higher, description, observation =>
    {
        if (observation is not { Reference: Audio reference, Output: Audio output } || reference.SampleRate != output.SampleRate || reference.Channels != output.Channels) return null;
        var length = Math.Min(reference.Length, output.Length);
        if (length < shortest) return null;
        return Enumerable.Range(0, output.Channels).Average(c => measure(Channel(output, c), Channel(reference, c), output.SampleRate));

        float[] Channel(Audio audio, int channel) => audio.Samples.Slice(channel).Span[..length].ToArray();
    });
}
