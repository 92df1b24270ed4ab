// Moshi: a speech-text foundation model for real-time dialogue (its codec, Mimi). Défossez et al. arXiv:2410.00037. github.com/kyutai-labs/moshi
// Published layouts: transformers MimiModel (config.json + model.safetensors), kyutai's own tokenizer-*.safetensors, whose values are constants of the authors' code. Deviations: none.
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>Convolutions, a causal transformer, a second change of rate, and two residual quantizers side by side (section 3.3).</summary>
internal static class MimiNetwork
{
    private const string Semantic = "semantic_residual_vector_quantizer", Acoustic = "acoustic_residual_vector_quantizer";

    /// <summary>Kyutai's names under those of transformers.</summary>
    public static readonly KeyMap KyutaiKeys = new KeyMap(
        (@"^(down|up)sample\.(?:conv|convtr)\.(?:conv|convtr)\.(?:conv|convtr)\.", "$1sample.conv."),
        (@"^(encoder|decoder)_transformer\.transformer\.", "$1_transformer."),
        (@"\.self_attn\.in_proj_(weight|bias)$", ".self_attn.in_proj.$1"),
        (@"\.self_attn\.out_proj\.", ".self_attn.o_proj."),
        (@"(_transformer\.layers\.\d+)\.norm1\.", "$1.input_layernorm."),
        (@"(_transformer\.layers\.\d+)\.norm2\.", "$1.post_attention_layernorm."),
        (@"(_transformer\.layers\.\d+)\.linear([12])\.", "$1.mlp.fc$2."),
        (@"\.layer_scale_1\.scale$", ".self_attn_layer_scale.scale"),
        (@"\.layer_scale_2\.scale$", ".mlp_layer_scale.scale"),
        (@"^quantizer\.rvq_first\.(?:vq\.)?", $"quantizer.{Semantic}."),
        (@"^quantizer\.rvq_rest\.(?:vq\.)?", $"quantizer.{Acoustic}."),
        (@"\._codebook\.embedding_sum$", ".codebook.embed_sum"),
        (@"\._codebook\.", ".codebook.")).Then(SeaNet.AuthorsKeys);

    /// <summary>x (B, 1, samples) -> latent (B, D, frames).</summary>
    public static Value Encode(Scope model, Value x, MimiConfig config, StreamState? stream = null)
    {
        var h = model.Stage("encoder_seanet", SeaNet.Encode(model["encoder"], x, config.SeaNet, stream));
        h = model.Stage("encoder_transformer", Transformer(model["encoder_transformer"], h.Swap(1, 2), config, stream, "encoder_block_0")).Swap(1, 2);
        return model.Stage("latent", Downsample(model["downsample"], h, config, stream));
    }

    /// <summary>Codes (B, T) of every codebook: the acoustic ones quantize the same latent as the semantic ones.</summary>
    public static Value[] Quantize(Scope model, Value latent, MimiConfig config)
    {
        var codes = Quantize(model["quantizer"][Semantic], latent, config.NumSemanticQuantizers, config);
        return config.NumQuantizers == config.NumSemanticQuantizers ? codes : [.. codes, .. Quantize(model["quantizer"][Acoustic], latent, config.NumQuantizers - config.NumSemanticQuantizers, config)];
    }

    /// <summary>codes (B, Q, T) -> samples (B, 1, samples).</summary>
    public static Value Decode(Scope model, Value codes, MimiConfig config, StreamState? stream = null)
    {
        var semantic = Math.Min(codes.Shape[1].Int, config.NumSemanticQuantizers);
        var h = Dequantize(model["quantizer"][Semantic], codes, 0, semantic, config);
        if (codes.Shape[1].Int > semantic) h += Dequantize(model["quantizer"][Acoustic], codes, semantic, codes.Shape[1].Int - semantic, config);
        model.Stage("quantized", h);
        h = model.Stage("upsampled", Upsample(model["upsample"], h, config, stream));
        h = model.Stage("decoder_transformer", Transformer(model["decoder_transformer"], h.Swap(1, 2), config, stream)).Swap(1, 2);
        return SeaNet.Decode(model["decoder"], h, config.SeaNet, stream);
    }

    /// <summary>From the frames of the convolutions to those of codes; the edge is repeated in front. x (B, D, T).</summary>
    public static Value Downsample(Scope conv, Value x, MimiConfig config, StreamState? stream = null) => !config.ChangesRate ? x
        : SeaNet.Conv(conv, x, config.HiddenSize, 2 * config.LatentRatio, config.SeaNet with { PadMode = "replicate" }, config.LatentStride, bias: false, stream: stream);

    /// <summary>From the frames of codes to those of the convolutions. x (B, D, T).</summary>
    public static Value Upsample(Scope conv, Value x, MimiConfig config, StreamState? stream = null) => !config.ChangesRate ? x
        : SeaNet.ConvTranspose(conv, x, config.HiddenSize, config.LatentStride, config.SeaNet, 2 * config.LatentRatio, config.UpsampleGroups, withBias: false, stream);

    /// <summary>Pre-norm blocks with a learned scale on both branches; no norm at the end. x (B, T, D).</summary>
    public static Value Transformer(Scope scope, Value x, MimiConfig config, StreamState? stream = null, string? firstBlock = null)
    {
        var g = x.Graph;
        var frequencies = new float[config.HeadWidth / 2];
        for (var i = 0; i < frequencies.Length; i++) frequencies[i] = 1 / MathF.Pow((float)config.Theta, 2f * i / config.HeadWidth);
        var places = AttentionLayers.Range(g, x.Shape[1]);
        if (stream is not null) places += stream.Position(x.Shape[1]);
        var angles = places.Cast(ElementType.Float32).Reshape(-1, 1) * g.Constant<float>(frequencies, 1, frequencies.Length);
        var (cos, sin) = (angles.Cos(), angles.Sin());                                           // (T, W/2)
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            var layer = scope["layers"][i];
            x += Scaled(layer["self_attn_layer_scale"], Attention(layer["self_attn"], layer["input_layernorm"].LayerNorm(x, config.NormEps), cos, sin, config, stream));
            var h = layer["mlp"].Mlp(layer["post_attention_layernorm"].LayerNorm(x, config.NormEps), config.IntermediateSize, Activations.Named(config.HiddenAct), bias: false);
            x += Scaled(layer["mlp_layer_scale"], h);
            if (i == 0 && firstBlock is not null) scope.Stage(firstBlock, x);
        }

        return x;
    }

    private static Value Attention(Scope attention, Value x, Value cos, Value sin, MimiConfig config, StreamState? stream)
    {
        var (heads, keyHeads, bias) = (config.NumAttentionHeads, config.NumKeyValueHeads, config.AttentionBias);
        long width = heads * config.HeadWidth, keyWidth = keyHeads * config.HeadWidth;
        var (q, k, v) = config.Kyutai
            ? attention["in_proj"].Qkv(x, width, bias)
            : (attention["q_proj"].Linear(x, width, bias), attention["k_proj"].Linear(x, keyWidth, bias), attention["v_proj"].Linear(x, keyWidth, bias));
        (q, k) = (q.Rotary(heads, cos, sin, config.Kyutai), k.Rotary(keyHeads, cos, sin, config.Kyutai));
        if (stream is not null)
        {
            long? keep = config.SlidingWindow is { } window ? Math.Max(1, window - 1) : null;
            (k, v) = (stream.Append(k, keep), stream.Append(v, keep));
        }

        var options = new AttentionOptions { Heads = heads, KeyValueHeads = keyHeads, Causal = true, Window = config.SlidingWindow };
        return attention["o_proj"].Linear(AttentionLayers.Attention(q, k, v, options), config.HiddenSize, bias);
    }

    private static Value Scaled(Scope scale, Value x) => scale.Has("scale") ? x * scale.Weight("scale", x.Shape[-1].Size) : x;

    /// <summary>Codes (B, T) of the first codebooks of one residual quantizer. latent (B, D, T).</summary>
    public static Value[] Quantize(Scope quantizer, Value latent, int count, MimiConfig config)
    {
        if (quantizer["input_proj"].Has("weight")) latent = quantizer["input_proj"].Conv(latent, config.QuantizerWidth, kernel: 1, bias: false);
        return EuclideanQuantizer.Quantize(latent, Codebooks(quantizer, count, config));
    }

    /// <summary>What some rows of codes (B, Q, T) stand for in one residual quantizer -> (B, D, T).</summary>
    public static Value Dequantize(Scope quantizer, Value codes, int first, int count, MimiConfig config)
    {
        var sum = EuclideanQuantizer.Dequantize([.. Enumerable.Range(first, count).Select(i => codes.At(1, i))], Codebooks(quantizer, count, config));
        return quantizer["output_proj"].Has("weight") ? quantizer["output_proj"].Conv(sum, config.HiddenSize, kernel: 1, bias: false) : sum;
    }

    private static Codebook[] Codebooks(Scope quantizer, int count, MimiConfig config) =>
        [.. Enumerable.Range(0, count).Select(i => Codebook.Averaged(quantizer["layers"][i]["codebook"], config.CodebookSize, config.QuantizerWidth, "embed_sum", "cluster_usage"))];
}

/// <summary>The codec: twelve and a half frames a second, of which the first codebook was taught by WavLM to hold what is said.</summary>
public sealed class MimiModel : CodecModel, ITokenizeStreaming
{
    private readonly MimiConfig _config;
    private readonly NetworkCache<int> _encoders;
    private readonly NetworkCache<(int Codebooks, int Frames)> _decoders;
    private readonly NetworkCache<bool> _streamEncoders;
    private readonly NetworkCache<(bool First, int Codebooks)> _streamDecoders;

    private MimiModel(string id, MimiConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(id, new(config.SamplingRate, config.HopLength, config.NumQuantizers, config.CodebookSize), checkpoint)
    {
        _config = config;
        // Zero stands for any length that is long enough.
        _encoders = new(samples => Network.Build(context, "mimi encoder", scope => Encoder(scope, config, samples == 0 ? Dim.Symbol("samples") : samples, null)));
        _decoders = new(key => Network.Build(context, "mimi decoder", scope => Decoder(scope, config, key.Codebooks, key.Frames == 0 ? Dim.Symbol("frames") : key.Frames, null)));
        _streamEncoders = new(first => Network.Build(context, "mimi stream encoder", scope => Encoder(scope, config, Dim.Symbol("samples"), new(scope.Graph, first))));
        _streamDecoders = new(key => Network.Build(context, "mimi stream decoder", scope => Decoder(scope, config, key.Codebooks, Dim.Symbol("frames"), new(scope.Graph, key.First))));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/mimi",
            Paper = "Moshi: a speech-text foundation model for real-time dialogue",
            ArXiv = "2410.00037",
            Authors = ["Alexandre Défossez", "Laurent Mazaré", "Manu Orsini", "Amélie Royer", "Patrick Pérez", "Hervé Jégou", "Edouard Grave", "Neil Zeghidour"],
            Repository = "kyutai-labs/moshi",
            CodeLicense = "MIT",
            WeightsLicense = "CC-BY-4.0",
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tokens, Modality.Audio],
            Layouts = ["transformers: config.json + model.safetensors", "kyutai: tokenizer-e351c8d8-checkpoint125.safetensors"],
            Sizes = [new("kyutai/mimi", 96_151_361, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [.. _encoders.Built, .. _decoders.Built, .. _streamEncoders.Built, .. _streamDecoders.Built];

    /// <summary>Every tensor of a configuration, without any weights.</summary>
    internal static IReadOnlyList<string> Inventory(MimiConfig config) => Network.Inventory(scope =>
    {
        Encoder(scope, config, Dim.Symbol("samples"), null);
        Decoder(scope, config, config.NumQuantizers, Dim.Symbol("frames"), null);
    });

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                // The reference takes a mask and does not use it.
                _ = arguments.Has("padding_mask");
                var outputs = (await EncodeAsync(arguments.Tensor<float>("input_values"), cancel).ConfigureAwait(false)).ToResults();
                var codes = outputs.Tensor("codes").As<long>().TakeRows(arguments.Literal("num_quantizers", _config.NumQuantizers));
                return outputs.Without("codes").Add("codes", codes);
            case "decode":
                var decoded = (await DecodeAsync(arguments.Tensor<long>("audio_codes"), cancel).ConfigureAwait(false)).ToResults();
                if (!arguments.Has("padding_mask")) return decoded;
                var sound = decoded.Tensor("reconstruction").As<float>();
                return decoded.Without("reconstruction").Add("reconstruction", sound.TakeLast(Math.Min(sound.Shape[2], arguments.Tensor("padding_mask").Shape[^1])));
            case "encode_streaming":
                var input = arguments.Tensor<float>("input_values");
                var samples = input.TakeLast(arguments.Literal("samples", (int)input.Shape[2]));
                return new CallResults().Add("streaming_codes", (await Encoded(samples.InPieces(arguments.Literal<int>("chunk")), cancel).JoinAsync().ConfigureAwait(false)).TakeRows(arguments.Literal("num_quantizers", _config.NumQuantizers)));
            case "decode_streaming":
                var pieces = arguments.Tensor<long>("audio_codes").InPieces(arguments.Literal<int>("frames"));
                return new CallResults().Add("streaming_reconstruction", await Decoded(pieces, cancel).JoinAsync().ConfigureAwait(false));
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"Mimi has no call '{call}'.") { Expected = "encode, decode, encode_streaming, decode_streaming" };
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Tokens> TokenizeAsync(IAsyncEnumerable<Media> chunks, ModelOptions options, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var codebooks = Codebooks(options.Expect<CodecOptions>());
        await foreach (var codes in Encoded(chunks.SamplesAsync(_config.SamplingRate, 1, cancel), cancel).ConfigureAwait(false)) yield return Space(codes.TakeRows(codebooks).ToTokens());
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Media> DetokenizeAsync(IAsyncEnumerable<Tokens> chunks, ModelOptions options, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var codes = chunks.Select(tokens => Expect(tokens).Ids.ToCodes());
        await foreach (var samples in Decoded(codes, cancel).ConfigureAwait(false)) yield return new Audio(samples.Slice(0), _config.SamplingRate);
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<int>> EncodeAsync(Tensor<float> samples, int codebooks, CancellationToken cancel) =>
        (await EncodeAsync(samples, cancel).ConfigureAwait(false)).Get<long>("codes").TakeRows(codebooks).ToTokens();

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel) => (await DecodeAsync(codes.ToCodes(), cancel).ConfigureAwait(false))["reconstruction"];

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var checkpoint = source.OpenCheckpoint();
        var config = File.Exists(Path.Combine(folder, "config.json"))
            ? PublishedConfig.ReadJson(folder).ContainsKey("seanet") ? PublishedConfig.Read<MoshiMimiConfig>(folder).Value.ToMimi() : PublishedConfig.Read<MimiConfig>(folder).Value
            : new MoshiMimiConfig().ToMimi();
        return ValueTask.FromResult<IModel>(new MimiModel(source.Id.ToString(), config, checkpoint, NetworkContext.Of(source, config.Kyutai ? MimiNetwork.KyutaiKeys.Apply(checkpoint) : checkpoint)));
    }

    private static void Encoder(Scope scope, MimiConfig config, Dim samples, StreamState? stream)
    {
        var x = scope.Graph.Input("samples", [Dim.Symbol("batch"), config.AudioChannels, samples]);
        scope.Graph.Output("codes", ValueShape.Stack(1, MimiNetwork.Quantize(scope, MimiNetwork.Encode(scope, x, config, stream), config)));
    }

    private static void Decoder(Scope scope, MimiConfig config, int codebooks, Dim frames, StreamState? stream)
    {
        var codes = scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), codebooks, frames]);
        scope.Graph.Output("reconstruction", MimiNetwork.Decode(scope, codes, config, stream));
    }

    // Zero for any length, or a length that is too short for mirror images.
    private int Concrete(long length, int unit) => length <= (long)_config.SeaNet.ShortFrames * unit ? (int)length : 0;

    private Task<NetworkOutputs> EncodeAsync(Tensor<float> samples, CancellationToken cancel)
    {
        if (_config.Kyutai) samples = samples.PadTo(_config.HopLength);
        return _encoders[Concrete(samples.Shape[2], _config.HopLength)].RunAsync(cancel, ("samples", samples));
    }

    private Task<NetworkOutputs> DecodeAsync(Tensor<long> codes, CancellationToken cancel) => _decoders[((int)codes.Shape[1], Concrete(codes.Shape[2], 1))].RunAsync(cancel, ("codes", codes));

    private IAsyncEnumerable<Tensor<long>> Encoded(IAsyncEnumerable<Tensor<float>> chunks, CancellationToken cancel)
    {
        RequireStream();
        var network = new ChunkedNetwork(first => _streamEncoders[first]);
        return chunks.ThroughAsync(_config.HopLength, _config.SeaNet.ShortFrames + 1, async (samples, whole) =>
        {
            var outputs = whole ? await EncodeAsync(samples, cancel).ConfigureAwait(false)
                : await network.RunAsync("samples", _config.Kyutai ? samples.PadTo(_config.HopLength) : samples, cancel).ConfigureAwait(false);
            return outputs.Get<long>("codes");
        }, cancel);
    }

    private IAsyncEnumerable<Tensor<float>> Decoded(IAsyncEnumerable<Tensor<long>> chunks, CancellationToken cancel)
    {
        RequireStream();
        ChunkedNetwork? network = null;
        return chunks.ThroughAsync(1, _config.SeaNet.ShortFrames + 1, async (codes, whole) =>
        {
            network ??= new(first => _streamDecoders[(first, (int)codes.Shape[1])]);
            return (whole ? await DecodeAsync(codes, cancel).ConfigureAwait(false) : await network.RunAsync("codes", codes, cancel).ConfigureAwait(false))["reconstruction"];
        }, cancel);
    }

    private void RequireStream()
    {
        if (!_config.SeaNet.Streams) throw new ModelZooException(ErrorCodes.VerbUnsupported, "This codec looks ahead: it takes a recording as a whole.") { Expected = "a causal model" };
    }
}
