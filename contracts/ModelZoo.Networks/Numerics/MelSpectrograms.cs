namespace ModelZoo.Networks.Numerics;

/// <summary>The front ends of published speech models: signals to (mels, frames).</summary>
public static class MelSpectrograms
{
    /// <summary>Whisper: log10 power in Slaney mels over half the sampling rate, within 8 of its maximum, scaled to about -1..1; the last frame is dropped.</summary>
    public static double[,] Whisper(ReadOnlySpan<double> audio, double[,] filters, int fftSize, int hop)
    {
        var power = new Stft(fftSize, hop, Windows.Hann(fftSize)).CentredPower(audio);
        var mel = Map(MelFilters.Apply(filters, power), x => Math.Log10(Math.Max(x, 1e-10)));
        var result = new double[mel.GetLength(0), mel.GetLength(1) - 1];
        var max = double.NegativeInfinity;
        for (var m = 0; m < result.GetLength(0); m++)
        {
            for (var t = 0; t < result.GetLength(1); t++) max = Math.Max(max, result[m, t] = mel[m, t]);
        }

        return Map(result, x => (Math.Max(x, max - 8) + 4) / 4);
    }

    /// <summary>librosa's <c>feature.melspectrogram</c>.</summary>
    /// <param name="audio">The signal.</param>
    /// <param name="filters">Filters (mels, bins).</param>
    /// <param name="stft">How the signal is cut into frames.</param>
    /// <param name="power">Power of the magnitudes.</param>
    /// <param name="padding">What frames are centred between: <c>constant</c> is zeros, <c>reflect</c> mirror images; null is frames that are not centred.</param>
    public static double[,] Librosa(ReadOnlySpan<double> audio, double[,] filters, Stft stft, double power = 2, string? padding = "constant")
    {
        var squares = padding switch
        {
            null => stft.Power(audio),
            "constant" => stft.Power(Padding.Zeros(audio, stft.FftSize / 2, stft.FftSize / 2)),
            "reflect" => stft.CentredPower(audio),
            _ => throw new ArgumentException($"No padding '{padding}'; there are constant and reflect.", nameof(padding)),
        };
        return MelFilters.Apply(filters, power == 2 ? squares : Map(squares, x => Math.Pow(x, power / 2)));
    }

    /// <summary>librosa's <c>power_to_db</c> relative to the maximum, within so many decibels of it; null is no limit.</summary>
    public static double[,] Decibels(double[,] power, double? range = 80)
    {
        var reference = 10 * Math.Log10(Math.Max(1e-10, power.Cast<double>().Max()));
        var db = Map(power, x => 10 * Math.Log10(Math.Max(1e-10, x)) - reference);
        var max = db.Cast<double>().Max();
        return range is { } limit ? Map(db, x => Math.Max(x, max - limit)) : db;
    }

    /// <summary>HiFi-GAN: natural log of Slaney mels of magnitudes, the signal mirrored so that frames and hops agree.</summary>
    public static double[,] HifiGan(ReadOnlySpan<double> audio, double[,] filters, int fftSize, int hop, int windowLength)
    {
        var pad = (fftSize - hop) / 2;
        var power = new Stft(fftSize, hop, Windows.Hann(windowLength)).Power(Padding.Reflect(audio, pad, pad));
        return Map(MelFilters.Apply(filters, Map(power, x => Math.Sqrt(x + 1e-9))), x => Math.Log(Math.Max(x, 1e-5)));
    }

    /// <summary>Vocos: natural log of HTK mels of magnitudes; <c>center</c> or <c>same</c> padding.</summary>
    public static double[,] Vocos(ReadOnlySpan<double> audio, double[,] filters, int fftSize, int hop, bool same)
    {
        var pad = same ? (fftSize - hop) / 2 : fftSize / 2;
        var power = new Stft(fftSize, hop, Windows.Hann(fftSize)).Power(Padding.Reflect(audio, pad, pad));
        return Map(MelFilters.Apply(filters, Map(power, Math.Sqrt)), x => Math.Log(Math.Max(x, 1e-7)));
    }

    /// <summary>Kaldi's filter banks as w2v-BERT takes them: 400 samples every 160, whatever the rate, mean removed, preemphasis, Povey window; natural log of power in Kaldi mels from 20 Hz.</summary>
    public static double[,] KaldiFilterBank(ReadOnlySpan<double> audio, int sampleRate, int mels)
    {
        const int window = 400, hop = 160, size = 512;
        var frames = audio.Length < window ? 0 : 1 + (audio.Length - window) / hop;
        var povey = Array.ConvertAll(Windows.SymmetricHann(window), w => Math.Pow(w, 0.85));
        var (fft, spectra) = (new Fft(size), new double[size / 2 + 1, frames]);
        var (frame, power, re, im) = (new double[window], new double[size / 2 + 1], new double[size], new double[size]);
        for (var t = 0; t < frames; t++)
        {
            var mean = 0.0;
            for (var i = 0; i < window; i++) mean += audio[t * hop + i] * 32768 / window;
            for (var i = window - 1; i >= 0; i--)
            {
                var (now, before) = (audio[t * hop + i] * 32768 - mean, audio[t * hop + Math.Max(0, i - 1)] * 32768 - mean);
                frame[i] = (now - 0.97 * before) * povey[i];
            }

            fft.Power(frame, power, re, im);
            for (var k = 0; k < power.Length; k++) spectra[k, t] = power[k];
        }

        return Map(MelFilters.Apply(MelFilters.Kaldi(sampleRate, size, mels, 20, sampleRate / 2), spectra), x => Math.Log(Math.Max(x, 1.192092955078125e-07)));
    }

    private static double[,] Map(double[,] values, Func<double, double> function)
    {
        var result = new double[values.GetLength(0), values.GetLength(1)];
        for (var i = 0; i < result.GetLength(0); i++)
        {
            for (var j = 0; j < result.GetLength(1); j++) result[i, j] = function(values[i, j]);
        }

        return result;
    }
}
