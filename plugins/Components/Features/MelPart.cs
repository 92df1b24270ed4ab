using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;
using static ModelZoo.Plugins.Components.Features.FeatureParts;

namespace ModelZoo.Plugins.Components.Features;

/// <summary>The spectrograms that speech models are fed.</summary>
internal static class MelPart
{
    public static ModelArchitecture Architecture { get; } = ComputedPart.Architecture("components/mel-spectrogram", "Robust Speech Recognition via Large-Scale Weak Supervision", "huggingface/transformers", Modality.Tensors,
        ("whisper", Whisper), ("librosa", Librosa), ("hifigan", HifiGan), ("vocos", Vocos), ("kaldi_fbank", Kaldi), ("wav2vec2_normalize", Normalize));

    private static List<double[]> Audio(CallArguments arguments)
    {
        var audio = arguments.Tensor<float>("audio");
        return [.. Array.ConvertAll(audio.Span.ToArray(), x => (double)x).Chunk((int)audio.Shape[^1])];
    }

    private static CallResults Whisper(CallArguments arguments)
    {
        var (rate, fft, hop, mels) = (arguments.Literal("sample_rate", 16000), arguments.Literal("n_fft", 400), arguments.Literal("hop_length", 160), arguments.Literal("n_mels", 80));
        var length = arguments.Literal("pad_to_samples", 0);
        var filters = MelFilters.Slaney(rate, fft, mels, 0, 8000, lastBin: rate / 2);
        var features = Audio(arguments).Select(audio => MelSpectrograms.Whisper(length > 0 ? [.. audio.Take(length), .. new double[Math.Max(0, length - audio.Length)]] : audio, filters, fft, hop)).ToList();
        return new CallResults().Add("whisper_filters", Transposed(filters)).Add("whisper_features", Stack(features));
    }

    private static CallResults Librosa(CallArguments arguments)
    {
        var (rate, fft, hop) = (arguments.Literal("sr", 22050), arguments.Literal("n_fft", 2048), arguments.Literal("hop_length", 512));
        var (mels, low, high, unitArea) = (arguments.Literal("n_mels", 128), arguments.Literal("fmin", 0.0), arguments.Literal<double?>("fmax", null) ?? rate / 2.0, !IsNull(arguments, "norm"));
        Only(arguments, "norm", "slaney");
        var filters = arguments.Literal("htk", false) ? MelFilters.Htk(rate, fft, mels, low, high, unitArea, MelFilters.LastBin(rate, fft)) : MelFilters.Slaney(rate, fft, mels, low, high, unitArea);
        Only(arguments, "window", "hann", "hamming", "blackman", "bartlett", "boxcar", "nuttall", "blackmanharris", "flattop");
        Only(arguments, "pad_mode", "constant", "reflect");
        var stft = new Stft(fft, hop, Windows.Named(arguments.Literal("window", "hann"), arguments.Literal<int?>("win_length", null) ?? fft));
        var (power, padding) = (arguments.Literal("power", 2.0), arguments.Literal("pad_mode", "constant"));
        var centred = arguments.Literal("center", true);
        var mel = Audio(arguments).Select(audio => MelSpectrograms.Librosa(audio, filters, stft, power, centred ? padding : null)).ToList();
        double? range = IsNull(arguments, "top_db") ? null : arguments.Literal("top_db", 80.0);
        return new CallResults().Add("librosa_filters", Metrics.MetricParts.Matrix(filters)).Add("librosa_mel", Stack(mel)).Add("librosa_db", Stack(mel.ConvertAll(m => MelSpectrograms.Decibels(m, range))));
    }

    // Null where it was given, which is not the same as an absent argument.
    private static bool IsNull(CallArguments arguments, string name) => !arguments.Has(name) && arguments.Names.Contains(name);

    private static void Only(CallArguments arguments, string name, params string[] known)
    {
        if (!arguments.Has(name) || arguments.Json(name) is { ValueKind: System.Text.Json.JsonValueKind.String } value && known.Contains(value.GetString())) return;
        throw new ModelZooException(ErrorCodes.VerbUnsupported, "The option has no such value.") { Where = name, Expected = string.Join(", ", known), Found = arguments.Json(name).ToString() };
    }

    private static CallResults HifiGan(CallArguments arguments)
    {
        var (rate, fft, hop, window) = (arguments.Literal<int>("sampling_rate"), arguments.Literal<int>("n_fft"), arguments.Literal<int>("hop_size"), arguments.Literal<int>("win_size"));
        var filters = MelFilters.Slaney(rate, fft, arguments.Literal<int>("num_mels"), arguments.Literal("fmin", 0.0), arguments.Literal<double?>("fmax", null) ?? rate / 2.0);
        return new CallResults().Add("hifigan_log_mel", Stack([.. Audio(arguments).Select(audio => MelSpectrograms.HifiGan(audio, filters, fft, hop, window))]));
    }

    private static CallResults Vocos(CallArguments arguments)
    {
        var (rate, fft, hop, same) = (arguments.Literal("sample_rate", 24000), arguments.Literal("n_fft", 1024), arguments.Literal("hop_length", 256), arguments.Literal("padding", "center") == "same");
        var filters = MelFilters.Htk(rate, fft, arguments.Literal("n_mels", 100), 0, rate / 2);
        return new CallResults().Add("vocos_filters", Transposed(filters)).Add("vocos_log_mel", Stack([.. Audio(arguments).Select(audio => MelSpectrograms.Vocos(audio, filters, fft, hop, same))]));
    }

    // An odd number of frames gets one of zeros, and groups of the stride are joined; a short last group is dropped. As published, a group counts as heard where its second frame is.
    private static CallResults Kaldi(CallArguments arguments)
    {
        var (rate, mels, stride, normalize) = (arguments.Literal("sample_rate", 16000), arguments.Literal("num_mel_bins", 80), arguments.Literal("stride", 2), arguments.Literal("normalize", true));
        var banks = Audio(arguments).Select(audio => MelSpectrograms.KaldiFilterBank(audio, rate, mels)).ToList();
        var frames = banks[0].GetLength(1);
        var groups = (frames + frames % 2) / stride;
        var (result, mask) = (Tensor.Zeros<double>(banks.Count, groups, mels * stride), Tensor.Zeros<long>(banks.Count, stride > 1 ? groups : 0));
        for (var i = 0; i < banks.Count; i++)
        {
            for (var m = 0; m < mels; m++)
            {
                var row = Enumerable.Range(0, frames).Select(t => banks[i][m, t]).ToArray();
                var (mean, deviation) = (row.Average(), 1.0);
                if (normalize) deviation = Math.Sqrt(row.Sum(x => (x - mean) * (x - mean)) / (frames - 1) + 1e-7);
                for (var t = 0; t < Math.Min(frames, groups * stride); t++) result[i, t / stride, t % stride * mels + m] = normalize ? (row[t] - mean) / deviation : row[t];
            }

            for (var group = 0; group < mask.Shape[1]; group++) mask[i, group] = group * stride + 1 < frames ? 1 : 0;
        }

        return new CallResults().Add("fbank", result).Add("fbank_attention_mask", mask);
    }

    private static CallResults Normalize(CallArguments arguments)
    {
        var rows = Audio(arguments).Select(audio =>
        {
            var mean = audio.Average();
            var deviation = Math.Sqrt(audio.Average(x => (x - mean) * (x - mean)) + 1e-7);
            return Array.ConvertAll(audio, x => (x - mean) / deviation);
        }).ToList();
        return new CallResults().Add("normalized", Tensor.Create(rows.SelectMany(row => row).ToArray(), rows.Count, rows[0].Length));
    }

    private static Tensor Transposed(double[,] filters)
    {
        var result = new double[filters.GetLength(1), filters.GetLength(0)];
        for (var i = 0; i < filters.GetLength(0); i++)
        {
            for (var j = 0; j < filters.GetLength(1); j++) result[j, i] = filters[i, j];
        }

        return Metrics.MetricParts.Matrix(result);
    }
}
