using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;
using ModelZoo.Networks.Numerics;
using static ModelZoo.Plugins.Components.Metrics.MetricParts;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>Measures of sound by spectra.</summary>
internal static class AudioMetrics
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        Metric("mel-distance", "High-Fidelity Audio Compression with Improved RVQGAN", "descriptinc/descript-audio-codec", ("mel_distance", MelDistance), ("stft_distance", StftDistance)),
        Metric("stft-loss", "Parallel WaveGAN", "csteinmetz1/auraloss", ("multi_resolution_stft", MultiResolution), ("mel_stft", MelStft)),
        Metric("stoi", "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech", "mpariente/pystoi", ("stoi", ComputeStoi)),
    ];

    private static List<float[]> Signals(CallArguments arguments, string name)
    {
        var tensor = arguments.Tensor<float>(name);
        return [.. tensor.Span.ToArray().Chunk((int)tensor.Shape[^1])];
    }

    private static SpectralDistance Distance(CallArguments arguments) => new()
    {
        ClampEpsilon = arguments.Literal("clamp_eps", 1e-5), MagnitudeWeight = arguments.Literal("mag_weight", 1.0), LogWeight = arguments.Literal("log_weight", 1.0), Power = arguments.Literal("pow", 2.0),
    };

    private static CallResults MelDistance(CallArguments arguments)
    {
        var (x, y, rate) = (Signals(arguments, "x"), Signals(arguments, "y"), arguments.Literal<int>("sample_rate"));
        var (mels, windows) = (arguments.Literal<int[]>("n_mels", [150, 80]), arguments.Literal<int[]>("window_lengths", [2048, 512]));
        var (low, high) = (arguments.Literal<double[]?>("mel_fmin", null), arguments.Literal<double?[]?>("mel_fmax", null));
        var filters = SpectralDistance.Filters(rate, windows[0], mels[0], low?[0] ?? 0, high?[0]);
        var first = y.Select(signal => MelFilters.Apply(filters, SpectralDistance.Magnitudes(signal, windows[0]))).ToList();
        var shape = arguments.Tensor<float>("y").Shape;
        return new CallResults()
            .Add("mel_of_y_first_scale", Tensor.Create(first.SelectMany(mel => mel.Cast<double>()).ToArray(), shape[0], shape[1], mels[0], first[0].GetLength(1)))
            .Add("mel_distance", Distance(arguments).Mel(x, y, rate, windows, mels, low, high));
    }

    private static CallResults StftDistance(CallArguments arguments)
    {
        _ = arguments.Has("sample_rate");
        return new CallResults().Add("stft_distance", Distance(arguments).Stft(Signals(arguments, "x"), Signals(arguments, "y"), arguments.Literal<int[]>("window_lengths", [2048, 512])));
    }

    private static StftLoss Loss(CallArguments arguments, int fft, int hop, int window)
    {
        // Frames at the ends are mirror images: their angles are whatever rounding makes of 0 and half a turn.
        if (arguments.Literal("w_phs", 0.0) is not 0 and var weight)
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "Angles of mirrored frames are chance, so that they are not compared.") { Where = "w_phs", Expected = "0", Found = $"{weight}" };
        return new(fft, hop, window)
        {
            Window = arguments.Literal("window", "hann_window"), Epsilon = arguments.Literal("eps", 1e-8),
            ConvergenceWeight = arguments.Literal("w_sc", 1.0), LogWeight = arguments.Literal("w_log_mag", 1.0), LinearWeight = arguments.Literal("w_lin_mag", 0.0),
            Prefilter = arguments.Literal("perceptual_weighting", false) ? AWeighting.Filter(arguments.Literal<int>("sample_rate")) : null,
            Squared = arguments.Literal("mag_distance", "L1") == "L2", ScaleInvariant = arguments.Literal("scale_invariance", false),
            Summed = arguments.Literal("reduction", "mean") switch
            {
                "mean" => false,
                "sum" => true,
                var reduction => throw new ModelZooException(ErrorCodes.VerbUnsupported, "A loss is a mean or a sum.") { Where = "reduction", Expected = "mean, sum", Found = reduction },
            },
        };
    }

    private static CallResults MultiResolution(CallArguments arguments)
    {
        var (input, target) = (Signals(arguments, "input"), Signals(arguments, "target"));
        var (ffts, hops, windows) = (arguments.Literal<int[]>("fft_sizes", [1024, 2048, 512]), arguments.Literal<int[]>("hop_sizes", [120, 240, 50]), arguments.Literal<int[]>("win_lengths", [600, 1200, 240]));
        var (rate, bands) = (arguments.Literal<int?>("sample_rate", null), arguments.Literal<int?>("n_bins", null));
        var mel = arguments.Literal<string?>("scale", null) switch
        {
            null => false,
            "mel" => true,
            var scale => throw new ModelZooException(ErrorCodes.VerbUnsupported, "Spectra are seen as they are, or in mels.") { Where = "scale", Expected = "mel", Found = scale },
        };
        var losses = ffts.Select((fft, i) => Loss(arguments, fft, hops[i], windows[i]) with { Filters = mel ? MelFilters.Slaney(rate!.Value, fft, bands!.Value, 0, rate.Value / 2.0) : null }).ToList();
        var results = new CallResults();

        // All magnitudes but the last are shown by their first three frames only.
        for (var i = 0; i < losses.Count; i++)
        {
            var spectra = input.Select(losses[i].Magnitudes).ToList();
            var (bins, frames) = (spectra[0].GetLength(0), spectra[0].GetLength(1));
            var shown = i < losses.Count - 1 ? Math.Min(3, frames) : frames;
            results.Add($"magnitude_{i}", Tensor.Create(
                spectra.SelectMany(s => Enumerable.Range(0, bins).SelectMany(k => Enumerable.Range(0, shown).Select(t => s[k, t]))).ToArray(), spectra.Count, bins, shown));
        }

        return results.Add("multi_resolution", StftLoss.MultiResolution(losses, input, target));
    }

    private static CallResults MelStft(CallArguments arguments)
    {
        var fft = arguments.Literal("fft_size", 1024);
        var rate = arguments.Literal<int>("sample_rate");
        var filters = MelFilters.Slaney(rate, fft, arguments.Literal("n_mels", 128), 0, rate / 2.0);
        var loss = Loss(arguments, fft, arguments.Literal("hop_size", 256), arguments.Literal("win_length", 1024)) with { Filters = filters };
        return new CallResults().Add("mel_filters", Matrix(filters)).Add("mel_stft", loss.Compute(Signals(arguments, "input"), Signals(arguments, "target")));
    }

    private static CallResults ComputeStoi(CallArguments arguments)
    {
        var (clean, degraded, rate) = (Signals(arguments, "clean"), Signals(arguments, "degraded"), arguments.Literal<int>("sample_rate"));
        return new CallResults()
            .Add($"stoi_{rate}", Vector(clean.Zip(degraded, (a, b) => Stoi.Compute(a, b, rate)))).Add($"estoi_{rate}", Vector(clean.Zip(degraded, (a, b) => Stoi.Compute(a, b, rate, extended: true))));
    }
}
