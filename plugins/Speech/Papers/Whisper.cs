// Robust Speech Recognition via Large-Scale Weak Supervision. Radford, Kim, Xu, Brockman, McLeavey, Sutskever. arXiv:2212.04356. github.com/openai/whisper
// Published layout: transformers WhisperModel and WhisperForConditionalGeneration (config.json + model.safetensors). Deviations: none; text is not decoded here: what codecs and language models take is the encoder.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Plugins.Speech;

/// <summary>The published configuration; defaults are those of openai/whisper-tiny.</summary>
public sealed record WhisperConfig
{
    [Range(1, 65536)] public int DModel { get; init; } = 384;
    [Range(1, 1024)] public int NumMelBins { get; init; } = 80;
    [Range(0, 1024)] public int EncoderLayers { get; init; } = 4;
    [Range(1, 1024)] public int EncoderAttentionHeads { get; init; } = 6;
    [Range(1, 1 << 20)] public int EncoderFfnDim { get; init; } = 1536;
    [Range(0, 1024)] public int DecoderLayers { get; init; } = 4;
    [Range(1, 1024)] public int DecoderAttentionHeads { get; init; } = 6;
    [Range(1, 1 << 20)] public int DecoderFfnDim { get; init; } = 1536;
    [Range(1, 1 << 20)] public int MaxSourcePositions { get; init; } = 1500;
    [Range(1, 1 << 20)] public int MaxTargetPositions { get; init; } = 448;
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 51865;
    public string ActivationFunction { get; init; } = "gelu";
}

/// <summary>Two convolutions and pre-norm transformers.</summary>
internal static class WhisperNetwork
{
    /// <summary>The names of the whole model and of its inner one.</summary>
    public static readonly KeyMap Keys = new((@"^model\.", ""));

    /// <summary>mel (B, mels, 2 T) -> (B, T, D).</summary>
    public static Value Encode(Scope encoder, Value mel, WhisperConfig config)
    {
        var x = encoder.Stage("conv1", encoder["conv1"].Conv(mel, config.DModel, kernel: 3, padding: 1)).Gelu();
        x = encoder.Stage("conv2", encoder["conv2"].Conv(x, config.DModel, kernel: 3, stride: 2, padding: 1)).Gelu();
        var h = x.Swap(1, 2) + encoder["embed_positions"].Weight("weight", config.MaxSourcePositions, config.DModel);
        for (var i = 0; i < config.EncoderLayers; i++)
        {
            var layer = encoder["layers"][i];
            h += SelfAttention(layer, h, config.EncoderAttentionHeads, causal: false);
            h += FeedForward(layer, h, config.EncoderFfnDim, config);
            if (i == 0) encoder.Stage("block_0", h);
        }

        return encoder["layer_norm"].LayerNorm(h);
    }

    /// <summary>ids (B, N) that begin the text, and what the encoder gave -> (B, N, D).</summary>
    public static Value Decode(Scope decoder, Value ids, Value sound, WhisperConfig config)
    {
        var words = decoder["embed_tokens"].Embedding(ids, config.VocabSize, config.DModel);
        var h = words + decoder["embed_positions"].Weight("weight", config.MaxTargetPositions, config.DModel).Take(0, ids.Shape[1]);
        for (var i = 0; i < config.DecoderLayers; i++)
        {
            var layer = decoder["layers"][i];
            h += SelfAttention(layer, h, config.DecoderAttentionHeads, causal: true);
            h += Attention(layer["encoder_attn"], layer["encoder_attn_layer_norm"].LayerNorm(h), sound, config.DecoderAttentionHeads, causal: false);
            h += FeedForward(layer, h, config.DecoderFfnDim, config);
        }

        return decoder["layer_norm"].LayerNorm(h);
    }

    private static Value SelfAttention(Scope layer, Value h, long heads, bool causal)
    {
        var x = layer["self_attn_layer_norm"].LayerNorm(h);
        return Attention(layer["self_attn"], x, x, heads, causal);
    }

    private static Value Attention(Scope attention, Value x, Value memory, long heads, bool causal)
    {
        var width = x.Shape[-1].Size;
        var (q, k, v) = (attention["q_proj"].Linear(x, width), attention["k_proj"].Linear(memory, width, bias: false), attention["v_proj"].Linear(memory, width));
        return attention["out_proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = heads, Causal = causal }), width);
    }

    private static Value FeedForward(Scope layer, Value h, long width, WhisperConfig config) =>
        layer.Mlp(layer["final_layer_norm"].LayerNorm(h), width, Activations.Named(config.ActivationFunction));
}

/// <summary>Whisper's encoder: speech to features, fifty a second.</summary>
public sealed class WhisperModel : FeatureModel
{
    /// <summary>Samples per second.</summary>
    internal const int SamplingRate = 16000;

    /// <summary>Samples of one feature.</summary>
    internal const int SamplesPerFeature = 2 * Hop;

    private const int FftSize = 400, Hop = 160;
    private readonly WhisperConfig _config;
    private readonly Network _encoder;
    private readonly NetworkCache<bool> _decoders;

    private WhisperModel(WhisperConfig config, Checkpoint checkpoint, NetworkContext context) : base(checkpoint)
    {
        _config = config;
        _encoder = Network.Build(context, "whisper encoder", scope => Encoder(scope, config));
        _decoders = new(_ => Network.Build(context, "whisper decoder", scope => Decoder(scope, config)));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/whisper-encoder",
            Paper = "Robust Speech Recognition via Large-Scale Weak Supervision",
            ArXiv = "2212.04356",
            Authors = ["Alec Radford", "Jong Wook Kim", "Tao Xu", "Greg Brockman", "Christine McLeavey", "Ilya Sutskever"],
            Repository = "openai/whisper",
            CodeLicense = "MIT",
            WeightsLicense = "Apache-2.0",
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tensors],
            Layouts = ["transformers: config.json + model.safetensors"],
            Sizes = [new("openai/whisper-tiny", 37_760_640, []), new("openai/whisper-base", 72_593_920, []), new("openai/whisper-small", 241_734_912, []), new("openai/whisper-medium", 763_857_920, []), new("openai/whisper-large-v3", 1_543_490_560, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_encoder, .. _decoders.Built];

    /// <summary>Every tensor of a configuration, without any weights.</summary>
    internal static IReadOnlyList<string> Inventory(WhisperConfig config) => Network.Inventory(scope =>
    {
        Encoder(scope, config);
        Decoder(scope, config);
    });

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (call is not ("encode" or "forward")) throw new ModelZooException(ErrorCodes.VerbUnsupported, $"The encoder has no call '{call}'.") { Expected = "encode, forward" };
        var encoded = await _encoder.RunAsync(cancel, ("input_features", arguments.Tensor("input_features"))).ConfigureAwait(false);
        if (call == "encode") return encoded.ToResults();
        var decoded = await _decoders[true].RunAsync(cancel, ("decoder_input_ids", arguments.Tensor("decoder_input_ids")), ("encoder_last_hidden_state", encoded["encoder_last_hidden_state"])).ConfigureAwait(false);
        return encoded.ToResults().AddRange(decoded.ToResults());
    }

    // The encoder knows one length: longer sounds are several windows, and features of the silence that fills the last one are cut off.
    /// <inheritdoc/>
    protected override async Task<Tensor<float>> FeaturesAsync(Prompt prompt, CancellationToken cancel)
    {
        var audio = Resampler.Convert(prompt.Require<Audio>(), SamplingRate, 1);
        if (audio.Length == 0) throw new MediaException(ErrorCodes.MediaMalformed, "The sound is empty.") { Expected = "at least one sample" };
        var window = _config.MaxSourcePositions * SamplesPerFeature;
        var rows = new List<float>();
        for (var start = 0; start < audio.Length; start += window)
        {
            var length = Math.Min(window, audio.Length - start);
            var features = (await _encoder.RunAsync(cancel, ("input_features", LogMel(audio.Samples.Span.Slice(start, length), window, _config.NumMelBins))).ConfigureAwait(false))["encoder_last_hidden_state"];
            rows.AddRange(features.Span[..((length + SamplesPerFeature - 1) / SamplesPerFeature * _config.DModel)]);
        }

        return Tensor.Create([.. rows], 1, rows.Count / _config.DModel, _config.DModel);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<WhisperConfig>(source.RequireFolder()).Value;
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new WhisperModel(config, checkpoint, NetworkContext.Of(source, WhisperNetwork.Keys.Apply(checkpoint))));
    }

    private static void Encoder(Scope scope, WhisperConfig config)
    {
        var mel = scope.Graph.Input("input_features", [Dim.Symbol("batch"), config.NumMelBins, 2 * config.MaxSourcePositions]);
        scope.Graph.Output("encoder_last_hidden_state", WhisperNetwork.Encode(scope["encoder"], mel, config));
    }

    private static void Decoder(Scope scope, WhisperConfig config)
    {
        var ids = scope.Graph.Input("decoder_input_ids", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("tokens")]);
        var sound = scope.Graph.Input("encoder_last_hidden_state", [Dim.Symbol("batch"), config.MaxSourcePositions, config.DModel]);
        scope.Graph.Output("decoder_last_hidden_state", WhisperNetwork.Decode(scope["decoder"], ids, sound, config));
    }

    /// <summary>The published front end: (1, mels, window / hop) of sound that silence follows.</summary>
    internal static Tensor<float> LogMel(ReadOnlySpan<float> samples, int window, int mels)
    {
        var padded = new double[window];
        for (var i = 0; i < samples.Length; i++) padded[i] = samples[i];
        var mel = MelSpectrograms.Whisper(padded, MelFilters.Slaney(SamplingRate, FftSize, mels, 0, SamplingRate / 2.0), FftSize, Hop);
        return Tensor.Create([.. mel.Cast<double>().Select(value => (float)value)], 1, mel.GetLength(0), mel.GetLength(1));
    }
}
