// High Fidelity Neural Audio Compression. Défossez, Copet, Synnaeve, Adi. arXiv:2210.13438. github.com/facebookresearch/encodec
// Published layouts: transformers EncodecModel (config.json + model.safetensors), the authors' flat state dict (encodec_24khz-*.th, encodec_48khz-*.th). Deviations: none;
// the language model that compresses the codes further (section 3.3) is not part of the published transformers layout and is not here.
using System.ComponentModel;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>Options of EnCodec.</summary>
public sealed record EncodecOptions : ModelOptions
{
    /// <summary>Kilobits per second; null is the largest that the model was trained for.</summary>
    [Description("Kilobits per second, one of the model's; the largest when left out. Fewer bits are fewer codebooks.")]
    public double? Bandwidth { get; init; }
}

/// <summary>The codec: sound to codes of several codebooks a frame, and back.</summary>
public sealed class EncodecModel : IModel, ITokenize<Audio, EncodecOptions>, ITokenizeStreaming, IEvaluate, IReferenceCalls
{
    private readonly EncodecConfig _config;
    private readonly Checkpoint _checkpoint;
    private readonly EncodecCodec _codec;
    private readonly Lazy<TokenSpace> _space;

    private EncodecModel(EncodecConfig config, Checkpoint checkpoint, EncodecCodec codec, string id)
    {
        (_config, _checkpoint, _codec) = (config, checkpoint, codec);
        _space = new(() => new(id, TokenLayout.Frames, [.. Enumerable.Repeat(config.CodebookSize, config.NumQuantizers)], codec.VocabularyDigest()));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/encodec",
            Paper = "High Fidelity Neural Audio Compression",
            ArXiv = "2210.13438",
            Authors = ["Alexandre Défossez", "Jade Copet", "Gabriel Synnaeve", "Yossi Adi"],
            Repository = "facebookresearch/encodec",
            CodeLicense = "MIT",
            WeightsLicense = "CC-BY-NC-4.0",
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tokens, Modality.Audio],
            Layouts = ["transformers: config.json + model.safetensors", "authors: encodec_24khz-*.th, encodec_48khz-*.th"],
            Sizes = [new("facebook/encodec_24khz", 19_046_114, []), new("facebook/encodec_48khz", 16_953_446, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _codec.Parameters,
        MappedBytes = _codec.Memory.MappedBytes,
        PrivateBytes = _codec.Memory.PrivateBytes,
        Digests = _checkpoint.DigestsAsync,
        Properties =
        [
            new("sampling rate", $"{_config.SamplingRate} Hz"),
            new("channels", $"{_config.AudioChannels}"),
            new("frames", $"{_config.FrameRate} per second"),
            new("codebooks", $"{_config.NumQuantizers} x {_config.CodebookSize}"),
            new("bandwidths", $"{string.Join(", ", _config.TargetBandwidths.Select(Show))} kbit/s"),
        ],
    };

    /// <inheritdoc/>
    public async ValueTask<Tokens> TokenizeAsync(Audio media, EncodecOptions options, CancellationToken cancel = default)
    {
        var bandwidth = Bandwidth(options);
        var audio = Resampler.Convert(media, _config.SamplingRate, _config.AudioChannels);
        if (audio.Length == 0) throw new MediaException(ErrorCodes.MediaMalformed, "The sound is empty.") { Expected = "at least one sample" };
        var encoding = await _codec.EncodeAsync(audio.Samples.Reshape(1, audio.Channels, audio.Length), _config.QuantizersFor(bandwidth), null, cancel).ConfigureAwait(false);
        return ToTokens(encoding, audio.Length);
    }

    /// <inheritdoc/>
    public async ValueTask<Audio> DetokenizeAsync(Tokens tokens, EncodecOptions options, CancellationToken cancel = default)
    {
        tokens.Expect(_space.Value);
        var samples = await _codec.DecodeAsync(FromTokens(tokens), cancel).ConfigureAwait(false);      // (1, channels, samples)
        return new(samples.Trim(tokens.SourceLength), _config.SamplingRate);
    }

    /// <inheritdoc/>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.VerbUnsupported"/>: the model is not causal.</exception>
    public async IAsyncEnumerable<Tokens> TokenizeAsync(IAsyncEnumerable<Media> chunks, ModelOptions options, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        RequireStream();
        var codebooks = _config.QuantizersFor(Bandwidth(options.Expect<EncodecOptions>()));
        await foreach (var codes in _codec.EncodeAsync(chunks.SamplesAsync(_config.SamplingRate, _config.AudioChannels, cancel), codebooks, cancel).ConfigureAwait(false))
            yield return new(_space.Value, codes.ToTokens()) { FrameRate = (double)_config.SamplingRate / _config.HopLength };
    }

    /// <inheritdoc/>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.VerbUnsupported"/>: the model is not causal.</exception>
    public async IAsyncEnumerable<Media> DetokenizeAsync(IAsyncEnumerable<Tokens> chunks, ModelOptions options, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        RequireStream();
        var codes = chunks.Select(tokens => FromTokens(tokens.Expect(_space.Value)).Chunks[0]);
        await foreach (var samples in _codec.DecodeAsync(codes, cancel).ConfigureAwait(false)) yield return new Audio(samples.Slice(0), _config.SamplingRate);
    }

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Audio;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ["si-sdr", "stft-distance", "mel-distance", "bit-rate", "codebook-perplexity"];

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<EncodecOptions>();

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var asked = options.Expect<EncodecOptions>();
        double[] bandwidths = asked.Bandwidth is null ? _config.TargetBandwidths : [Bandwidth(asked)];
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var reference = Resampler.Convert(example.Media.Expect<Audio>(), _config.SamplingRate, _config.AudioChannels);
            // Fewer bits are the first codebooks of more bits, so one encoding serves all.
            var tokens = await TokenizeAsync(reference, new() { Bandwidth = bandwidths.Max() }, cancel).ConfigureAwait(false);
            foreach (var bandwidth in bandwidths)
            {
                var part = tokens.TakeCodebooks(_config.QuantizersFor(bandwidth));
                yield return new(example.Id, reference, await DetokenizeAsync(part, asked, cancel).ConfigureAwait(false)) { Group = $"{Show(bandwidth)} kbit/s", Tokens = part, Label = example.Label };
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => call switch
    {
        "encode" => await EncodeCallAsync(arguments, cancel).ConfigureAwait(false),
        "decode" => await DecodeCallAsync(arguments, cancel).ConfigureAwait(false),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"EnCodec has no call '{call}'.") { Expected = "encode, decode" },
    };

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _codec.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var config = PublishedConfig.Read<EncodecConfig>(folder).Value;
        var checkpoint = source.OpenCheckpoint();
        try
        {
            var weights = SeaNet.AuthorsKeys.Apply(checkpoint);
            var codec = new EncodecCodec(config, NetworkContext.Of(source, weights));
            weights.ThrowIfUnused();
            return ValueTask.FromResult<IModel>(new EncodecModel(config, checkpoint, codec, source.Id.ToString()));
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    private async Task<CallResults> EncodeCallAsync(CallArguments arguments, CancellationToken cancel)
    {
        var input = arguments.Tensor<float>("input_values");
        var codebooks = _config.QuantizersFor(arguments.Literal("bandwidth", _config.TargetBandwidths[0]));
        var mask = arguments.Has("padding_mask") ? arguments.Tensor("padding_mask") : null;
        var encoding = await _codec.EncodeAsync(input, codebooks, mask, cancel).ConfigureAwait(false);
        var results = encoding.Stages.Add("codes", encoding.Stack());
        if (encoding.Scales is { } scales) results.Add("scales", scales);
        return results;
    }

    private async Task<CallResults> DecodeCallAsync(CallArguments arguments, CancellationToken cancel)
    {
        var codes = arguments.Tensor<long>("audio_codes");                                               // (chunks, B, Q, T)
        var lastFramePadding = arguments.Literal("last_frame_pad_length", 0);
        var encoding = EncodecEncoding.Unstack(codes, arguments.FindTensor<float>("audio_scales"), lastFramePadding);
        var samples = await _codec.DecodeAsync(encoding, cancel).ConfigureAwait(false);
        var length = arguments.Has("padding_mask") ? Math.Min(samples.Shape[2], arguments.Tensor("padding_mask").Shape[^1]) : samples.Shape[2];
        return encoding.Stages.Add("reconstruction", samples.TakeLast(length));
    }

    private void RequireStream()
    {
        if (!_codec.Streams) throw new ModelZooException(ErrorCodes.VerbUnsupported, "This codec looks ahead or scales its chunks: it takes a recording as a whole.") { Expected = "a causal model, such as encodec_24khz" };
    }

    private Tokens ToTokens(EncodecEncoding encoding, int length)
    {
        var codebooks = (int)encoding.Chunks[0].Shape[1];
        var frames = encoding.Chunks.Sum(chunk => (int)chunk.Shape[2]);
        var ids = Tensor.Zeros<int>(codebooks, frames);
        for (var q = 0; q < codebooks; q++)
        {
            var row = ids.Slice(q).Span;
            foreach (var chunk in encoding.Chunks)
            {
                foreach (var code in chunk.Slice(0).Slice(q).Span)
                {
                    row[0] = (int)code;
                    row = row[1..];
                }
            }
        }

        return new(_space.Value, ids)
        {
            FrameRate = (double)_config.SamplingRate / _config.HopLength,
            SourceLength = length,
            Extras = encoding.Scales is { } scales ? new Dictionary<string, Tensor> { ["scales"] = scales } : [],
        };
    }

    private EncodecEncoding FromTokens(Tokens tokens)
    {
        if (tokens.Ids.Rank != 2 || tokens.Ids.Shape[0] > _config.NumQuantizers || tokens.Ids.Shape[0] == 0)
            throw new MediaException(ErrorCodes.TokensInvalid, "EnCodec's tokens are (codebooks, frames).") { Expected = $"1..{_config.NumQuantizers} codebooks", Found = tokens.Ids.ToString() };
        var (codebooks, frames) = ((int)tokens.Ids.Shape[0], (int)tokens.Ids.Shape[1]);
        var chunkFrames = _config.ChunkLength is { } length ? (length + _config.HopLength - 1) / _config.HopLength : frames;
        var chunks = new List<Tensor<long>>();
        for (var start = 0; start < frames; start += chunkFrames)
        {
            var chunk = Tensor.Zeros<long>(1, codebooks, Math.Min(chunkFrames, frames - start));
            for (var q = 0; q < codebooks; q++)
            {
                for (var t = 0; t < chunk.Shape[2]; t++) chunk[0, q, t] = tokens.Ids[q, start + t];
            }

            chunks.Add(chunk);
        }

        var scales = tokens.Extras.GetValueOrDefault("scales")?.As<float>();
        if (_config.Normalize && scales?.Shape[0] != chunks.Count)
            throw new MediaException(ErrorCodes.TokensInvalid, "A normalised codec needs the scale of each chunk.") { Expected = $"scales [{chunks.Count}, 1, 1]", Found = scales?.ToString() ?? "none" };
        return new(chunks, scales);
    }

    private double Bandwidth(EncodecOptions options)
    {
        var bandwidth = options.Bandwidth ?? _config.TargetBandwidths[^1];
        return _config.TargetBandwidths.Contains(bandwidth) ? bandwidth : throw new OptionsException(ErrorCodes.OptionRange, "The model was not trained for this bandwidth.")
        { Where = "bandwidth", Expected = string.Join(", ", _config.TargetBandwidths.Select(Show)), Found = Show(bandwidth) };
    }

    private static string Show(double value) => OptionDescription.Show(value);

}
