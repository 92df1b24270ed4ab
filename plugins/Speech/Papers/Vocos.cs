// Vocos: Closing the gap between time-domain and Fourier-based neural vocoders for high-quality audio synthesis. Siuzdak. arXiv:2306.00814. github.com/gemelo-ai/vocos
// Published layout: config.yaml + pytorch_model.bin (charactr/vocos-mel-24khz, charactr/vocos-encodec-24khz). Deviations: none; the EnCodec encoder that makes the codes of the second is not part of its checkpoint.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>Settings of the front end: a mel spectrogram, or the codebooks of EnCodec.</summary>
public sealed record VocosFeaturesConfig
{
    [Range(1, 768000)] public int SampleRate { get; init; } = 24000;
    [Range(2, 1 << 20)] public int NFft { get; init; } = 1024;
    [Range(1, 1 << 20)] public int HopLength { get; init; } = 256;
    [Range(1, 4096)] public int NMels { get; init; } = 100;
    [AllowedValues("center", "same")] public string Padding { get; init; } = "center";
    public string? EncodecModel { get; init; }

    // Mirrored samples at either end.
    internal int Margin => Padding == "center" ? NFft / 2 : (NFft - HopLength) / 2;

    /// <summary>EnCodec's bandwidths that the model was trained with, kbit/s.</summary>
    [MinLength(1)] public double[] Bandwidths { get; init; } = [1.5, 3, 6, 12];
}

/// <summary>Options of making sound.</summary>
public sealed record VocosOptions : ModelOptions
{
    /// <summary>Number of the bandwidth; null goes by the number of codebooks.</summary>
    [Description("Which of EnCodec's bandwidths 'features' are of, from 0 on; tokens tell it by their codebooks.")]
    [Range(0, 4095)]
    public int? BandwidthId { get; init; }
}

/// <summary>Features to sound, in one step for each frame.</summary>
public sealed class VocosModel : IModel, IGenerate<Audio, VocosOptions>, IReferenceCalls
{
    // EnCodec at 12 kbit/s, the most that the published model was trained with.
    private const int EncodecCodebooks = 16, EncodecBins = 1024;

    private readonly VocosFeaturesConfig _features;
    private readonly VocosBackboneConfig _backbone;
    private readonly IstftHeadConfig _head;
    private readonly Checkpoint _checkpoint;
    private readonly Network _decoder;
    private readonly Network? _mel;
    private readonly long _codebookRows;
    private readonly NetworkCache<(int Codebooks, int Bins)> _codes;

    private VocosModel(string folder, Checkpoint checkpoint, NetworkContext context)
    {
        _checkpoint = checkpoint;
        _features = PublishedConfig.Read<VocosFeaturesConfig>(folder, "feature_extractor.init_args").Value;
        _backbone = PublishedConfig.Read<VocosBackboneConfig>(folder, "backbone.init_args").Value;
        _head = IstftHeadConfig.Read(folder, "head");
        _decoder = Network.Build(context, "vocos", scope => Decoder(scope, _backbone, _head));
        if (_features.EncodecModel is null) _mel = Network.Build(context, "vocos features", scope => Mel(scope, _features));
        _codebookRows = checkpoint.Find("feature_extractor.codebook_weights") is { } table ? table.Shape[0] : 0;
        _codes = new(key => Network.Build(context, "vocos codebooks", scope => Codebooks(scope, key.Codebooks, key.Bins, scope["feature_extractor"].ShapeOf("codebook_weights"))));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/vocos",
            Paper = "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders for high-quality audio synthesis",
            ArXiv = "2306.00814",
            Authors = ["Hubert Siuzdak"],
            Repository = "gemelo-ai/vocos",
            CodeLicense = "MIT",
            WeightsLicense = "MIT",
            Inputs = [Modality.Audio, Modality.Tokens, Modality.Tensors],
            Outputs = [Modality.Audio],
            Layouts = ["config.yaml + pytorch_model.bin"],
            Sizes = [new("charactr/vocos-mel-24khz", 13_582_950, []), new("charactr/vocos-encodec-24khz", 10_081_410, [])],
        },
        (source, _) =>
        {
            var checkpoint = source.OpenCheckpoint();
            return ValueTask.FromResult<IModel>(new VocosModel(source.RequireFolder(), checkpoint, NetworkContext.Of(source, KeyMap.WeightNorm.Apply(checkpoint))));
        });

    internal static IReadOnlyList<string> Inventory(VocosFeaturesConfig features, VocosBackboneConfig backbone, IstftHeadConfig head) => Network.Inventory(scope =>
    {
        if (features.EncodecModel is null) Mel(scope, features);
        else Codebooks(scope, EncodecCodebooks, EncodecBins, [EncodecCodebooks * EncodecBins, backbone.InputChannels]);
        Decoder(scope, backbone, head);
    });

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _checkpoint.Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, extent) => product * extent)),
        MappedBytes = _decoder.Session.Memory.MappedBytes,
        PrivateBytes = _decoder.Session.Memory.PrivateBytes,
        Digests = _checkpoint.DigestsAsync,
        Properties = [new("sampling rate", $"{_features.SampleRate} Hz"), new("features", _features.EncodecModel ?? $"{_features.NMels} mels")],
    };

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Audio>> GenerateAsync(Prompt prompt, VocosOptions options, ulong seed, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel = default)
    {
        var tokens = prompt.Media.OfType<Tokens>().FirstOrDefault();
        var features = PromptTensors.Find(prompt, "features", _backbone.InputChannels, null)
            ?? (tokens is not null ? await EmbedAsync(tokens, cancel).ConfigureAwait(false)
            : _mel is not null ? await MelAsync(prompt.Require<Audio>(), cancel).ConfigureAwait(false)
            : PromptTensors.Require(prompt, "features", _backbone.InputChannels, null, "EnCodec's; or give its tokens, as `modelzoo tokenize` writes them"));
        var samples = (await _decoder.RunAsync(cancel, [("features", features), .. Condition(options, tokens)]).ConfigureAwait(false))["reconstruction"];
        yield return Generation<Audio>.Final(new(samples, _features.SampleRate), 1);
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "features" when _mel is not null:
                return (await _mel.RunAsync(cancel, ("audio", arguments.Tensor("audio"))).ConfigureAwait(false)).ToResults();
            case "codes_to_features":
                var codes = arguments.Tensor<long>("codes");
                return (await _codes[((int)codes.Shape[0], arguments.Literal("bins", EncodecBins))].RunAsync(cancel, ("codes", codes)).ConfigureAwait(false)).ToResults();
            case "decode":
                var inputs = new List<(string, Tensor)> { ("features", arguments.Tensor("features")) };
                if (_backbone.AdanormNumEmbeddings is not null) inputs.Add(("bandwidth_id", arguments.Tensor("bandwidth_id")));
                return (await _decoder.RunAsync(cancel, [.. inputs]).ConfigureAwait(false)).ToResults();
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"This Vocos has no call '{call}'.") { Expected = _mel is null ? "codes_to_features, decode" : "features, decode" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _decoder.Dispose();
        _mel?.Dispose();
        _codes.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<Tensor<float>> MelAsync(Audio audio, CancellationToken cancel)
    {
        var sound = Resampler.Convert(audio, _features.SampleRate, 1);
        // The mirrored samples at the ends are those of the sound itself.
        var least = _features.Margin + 1;
        if (sound.Length < least) throw new MediaException(ErrorCodes.MediaMalformed, "The sound is too short for a spectrum.") { Expected = $"at least {least} samples at {_features.SampleRate} Hz", Found = $"{sound.Length}" };
        return (await _mel!.RunAsync(cancel, ("audio", sound.Samples)).ConfigureAwait(false))["features"];
    }

    // EnCodec's codes (codebooks, frames) to features.
    private async Task<Tensor<float>> EmbedAsync(Tokens tokens, CancellationToken cancel)
    {
        if (_mel is not null || tokens.Ids is not { Rank: 2, Length: > 0 } ids || tokens.Space.VocabularySizes is not [var bins, ..] || Codebooks(bins) is not { } all || ids.Shape[0] > all)
            throw new MediaException(ErrorCodes.TokensForeign, "The tokens are not those that this Vocos knows.") { Expected = _mel is null ? $"(codebooks, frames) of {_features.EncodecModel}" : "sound, or a tensor 'features'", Found = $"{tokens.Ids} of {tokens.Space.Model}" };
        var codes = Tensor.Create(Array.ConvertAll(ids.Span.ToArray(), id => (long)id), ids.Shape[0], 1, ids.Shape[1]);
        return (await _codes[((int)ids.Shape[0], bins)].RunAsync(cancel, ("codes", codes)).ConfigureAwait(false))["features"];
    }

    // The table holds as many codebooks as the highest bandwidth has.
    private int? Codebooks(int bins) => bins > 0 && _codebookRows > 0 && _codebookRows % bins == 0 ? (int)(_codebookRows / bins) : null;

    private (string, Tensor)[] Condition(VocosOptions options, Tokens? tokens)
    {
        if (_backbone.AdanormNumEmbeddings is not { } count)
            return options.BandwidthId is null ? [] : throw new OptionsException(ErrorCodes.OptionRange, "This Vocos has no bandwidths.") { Where = "bandwidth_id", Expected = "nothing", Found = $"{options.BandwidthId}" };
        var id = options.BandwidthId ?? (tokens is null ? -1 : Bandwidth(tokens));
        if (id < 0 || id >= count) throw new OptionsException(ErrorCodes.OptionRange, options.BandwidthId is null ? "The bandwidth must be named." : "There is no such bandwidth.")
        { Where = "bandwidth_id", Expected = $"0..{count - 1} for {string.Join(", ", _features.Bandwidths)} kbit/s", Found = options.BandwidthId is null ? tokens is null ? "features" : $"{tokens.Ids.Shape[0]} codebooks" : $"{id}" };
        return [("bandwidth_id", Tensor.Create([(long)id], 1))];
    }

    // Codebooks grow with the bandwidth; -1 where none has so many.
    private int Bandwidth(Tokens tokens) => Codebooks(tokens.Space.VocabularySizes[0]) is { } all
        ? Array.FindIndex(_features.Bandwidths, bandwidth => (int)Math.Round(all * bandwidth / _features.Bandwidths.Max()) == tokens.Ids.Shape[0]) : -1;

    private static void Decoder(Scope scope, VocosBackboneConfig backbone, IstftHeadConfig head)
    {
        var features = scope.Graph.Input("features", [Dim.Symbol("batch"), backbone.InputChannels, Dim.Symbol("frames")]);
        var condition = backbone.AdanormNumEmbeddings is null ? null : scope.Graph.Input("bandwidth_id", ElementType.Int64, [1]);
        scope.Graph.Output("reconstruction", VocosBackbone.Head(scope["head"], VocosBackbone.Build(scope["backbone"], features, backbone, condition), head));
    }

    // log |STFT| through the stored mel filters (section 4.1).
    private static void Mel(Scope scope, VocosFeaturesConfig config)
    {
        var audio = scope.Graph.Input("audio", [Dim.Symbol("batch"), Dim.Symbol("samples")]);
        var (n, hop, bins) = (config.NFft, config.HopLength, config.NFft / 2 + 1);
        var pad = config.Margin;
        var (real, imaginary) = audio.Pad(1, pad, pad, PadMode.Reflect).Stft(SpectraLayers.Hann(n), hop);
        var magnitude = (real.Square() + imaginary.Square()).Sqrt().Swap(1, 2);                          // (B, T, bins)
        var mel = magnitude.MatMul(scope["feature_extractor.mel_spec.mel_scale"].Weight("fb", bins, config.NMels)).Swap(1, 2);
        scope.Graph.Output("features", mel.Max(scope.Graph.Scalar(mel.Type, 1e-7)).Log());
    }

    // The codebooks stand one after the other in one table.
    private static void Codebooks(Scope scope, int codebooks, int bins, IReadOnlyList<long> shape)
    {
        var codes = scope.Graph.Input("codes", ElementType.Int64, [codebooks, Dim.Symbol("batch"), Dim.Symbol("frames")]);
        var table = scope["feature_extractor"].Weight("codebook_weights", [.. shape]);
        var offsets = scope.Graph.Constant<long>([.. Enumerable.Range(0, codebooks).Select(i => (long)i * bins)], codebooks, 1, 1);
        scope.Graph.Output("features", table.Gather(codes + offsets).Sum(0).Swap(1, 2));
    }
}
