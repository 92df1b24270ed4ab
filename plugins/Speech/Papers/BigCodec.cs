// BigCodec: Pushing the Limits of Low-Bitrate Neural Speech Codec. Xin, Tan, Takamichi, Saruwatari. arXiv:2409.05377. github.com/Aria-K-Alethia/BigCodec
// Published layout: bigcodec.pt ({"CodecEnc": encoder, "generator": decoder and quantizer}) with the authors' yaml (codec_encoder, codec_decoder). Deviations: none.
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>The encoder's part of the published configuration.</summary>
public sealed record BigCodecEncoderConfig
{
    [Range(1, 65536)] public int OutChannels { get; init; } = 1024;
    [Range(1, 4096)] public int Ngf { get; init; } = 48;
    public bool UseRnn { get; init; } = true;
    public bool RnnBidirectional { get; init; }
    [Range(1, 16)] public int RnnNumLayers { get; init; } = 2;
    [Length(1, 16)] public int[] UpRatios { get; init; } = [2, 2, 2, 5, 5];
    [Length(1, 16)] public int[] Dilations { get; init; } = [1, 3, 9];
}

/// <summary>The decoder's part of the published configuration.</summary>
public sealed record BigCodecDecoderConfig
{
    [Range(1, 65536)] public int InChannels { get; init; } = 1024;
    [Range(1, 65536)] public int UpsampleInitialChannel { get; init; } = 1536;
    public bool UseRnn { get; init; } = true;
    public bool RnnBidirectional { get; init; }
    [Range(1, 16)] public int RnnNumLayers { get; init; } = 2;
    [Length(1, 16)] public int[] UpRatios { get; init; } = [5, 5, 2, 2, 2];
    [Length(1, 16)] public int[] Dilations { get; init; } = [1, 3, 9];
    [Range(1, 256)] public int VqNumQuantizers { get; init; } = 1;
    [Range(1, 65536)] public int VqDim { get; init; } = 1024;
    [JsonConverter(typeof(OneOrMany)), Length(1, 256)] public int[] CodebookSize { get; init; } = [8192];
    [Range(1, 4096)] public int CodebookDim { get; init; } = 8;

    /// <summary>Codes of each codebook: one number stands for all of them, a list has one for each and says how many there are.</summary>
    internal int[] CodebookSizes => CodebookSize.Length == 1 ? [.. Enumerable.Repeat(CodebookSize[0], VqNumQuantizers)] : CodebookSize;
}

/// <summary>The published configuration.</summary>
public sealed record BigCodecConfig
{
    public BigCodecEncoderConfig CodecEncoder { get; init; } = new();
    public BigCodecDecoderConfig CodecDecoder { get; init; } = new();

    /// <summary>The codec works at 16 kHz only.</summary>
    public const int SamplingRate = 16000;

    /// <summary>Samples of one frame.</summary>
    public int HopLength => CodecEncoder.UpRatios.Aggregate(1, (product, ratio) => product * ratio);
}

/// <summary>The Descript stack with alias-free activations and LSTMs. Scopes are the authors': <c>block</c>, <c>model</c>, <c>quantizer</c>.</summary>
internal static class BigCodecNetwork
{
    /// <summary>x (B, 1, T) -> (B, D, frames).</summary>
    public static Value Encode(Scope model, Value x, BigCodecEncoderConfig config)
    {
        var (block, next) = (model["block"], 0);
        x = model.Stage("encoder_conv0", block[next++].FoldedConv(x, config.Ngf, kernel: 7, padding: 3));
        foreach (var ratio in config.UpRatios)
        {
            x = SnakeStack.EncoderBlock(block[next++], x, ratio, AliasFreeActivation.SnakeBeta, config.Dilations);
            if (next == 2) model.Stage("encoder_block0", x);
        }

        if (config.UseRnn) x = model.Stage("encoder_lstm", ResidualLstm(block[next++], x, config.RnnNumLayers, config.RnnBidirectional));
        return model.Stage("latent", block[next + 1].FoldedConv(AliasFreeActivation.SnakeBeta(block[next], x), config.OutChannels, kernel: 3, padding: 1));
    }

    /// <summary>z (B, D, T) -> codes (Q, B, T) and what they stand for (B, D, T).</summary>
    public static (Value Codes, Value Quantized) Quantize(Scope model, Value z, BigCodecDecoderConfig config)
    {
        var sizes = config.CodebookSizes;
        var (residual, quantized, codes) = (z, default(Value), new Value[sizes.Length]);
        for (var i = 0; i < codes.Length; i++)
        {
            var layer = model["quantizer.layers"][i];
            var projected = Projects(config) ? FactorizedQuantizer.Project(layer, residual, config.CodebookDim) : residual;
            codes[i] = FactorizedQuantizer.Nearest(layer, projected, sizes[i], "_codebook");
            var part = Lookup(layer, codes[i], sizes[i], config);
            quantized = quantized is null ? part : quantized + part;
            residual -= part;
        }

        return (ValueShape.Stack(0, codes), quantized!);
    }

    /// <summary>codes (Q, B, T) -> (B, D, T).</summary>
    public static Value Dequantize(Scope model, Value codes, BigCodecDecoderConfig config) =>
        config.CodebookSizes.Select((size, i) => Lookup(model["quantizer.layers"][i], codes.At(0, i), size, config)).Aggregate((sum, part) => sum + part);

    /// <summary>z (B, D, T) -> (B, 1, samples).</summary>
    public static Value Decode(Scope model, Value z, BigCodecDecoderConfig config)
    {
        var (block, next) = (model["model"], 0);
        var x = model.Stage("decoder_conv0", block[next++].FoldedConv(z, config.UpsampleInitialChannel, kernel: 7, padding: 3));
        if (config.UseRnn) x = model.Stage("decoder_lstm", ResidualLstm(block[next++], x, config.RnnNumLayers, config.RnnBidirectional));
        for (var i = 0; i < config.UpRatios.Length; i++)
        {
            x = SnakeStack.DecoderBlock(block[next++], x, x.Shape[1].Size / 2, config.UpRatios[i], AliasFreeActivation.SnakeBeta, config.Dilations, outputPadding: true);
            if (i == 0) model.Stage("decoder_block0", x);
        }

        return block[next + 1].FoldedConv(AliasFreeActivation.SnakeBeta(block[next], x), 1, kernel: 7, padding: 3).Tanh();
    }

    private static bool Projects(BigCodecDecoderConfig config) => config.VqDim != config.CodebookDim;

    private static Value Lookup(Scope layer, Value codes, int size, BigCodecDecoderConfig config) => Projects(config)
        ? FactorizedQuantizer.Lookup(layer, codes, size, config.CodebookDim, config.VqDim, "_codebook")
        : layer["_codebook"].Embedding(codes, size, config.CodebookDim).Swap(1, 2);

    private static Value ResidualLstm(Scope scope, Value x, int layers, bool bidirectional)
    {
        var (width, sequence) = (x.Shape[1].Size, x.Transpose(2, 0, 1));                              // (T, B, C)
        return (scope["lstm"].Lstm(sequence, bidirectional ? width / 2 : width, layers, bidirectional) + sequence).Transpose(1, 2, 0);
    }
}

/// <summary>The low-bitrate speech codec.</summary>
public sealed class BigCodecModel : CodecModel
{
    private readonly BigCodecConfig _config;
    private readonly Network _encoder, _quantizer, _decoder, _dequantizer;

    private BigCodecModel(string id, BigCodecConfig config, Checkpoint checkpoint, NetworkContext encoder, NetworkContext generator)
        : base(id, new(BigCodecConfig.SamplingRate, config.HopLength, config.CodecDecoder.CodebookSizes), checkpoint)
    {
        _config = config;
        _encoder = Network.Build(encoder, "bigcodec encoder", scope => Encoder(scope, config.CodecEncoder));
        _quantizer = Network.Build(generator, "bigcodec quantizer", scope => Quantizer(scope, config.CodecDecoder));
        _dequantizer = Network.Build(generator, "bigcodec codebooks", scope => Dequantizer(scope, config.CodecDecoder));
        _decoder = Network.Build(generator, "bigcodec decoder", scope => Decoder(scope, config.CodecDecoder));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/bigcodec",
            Paper = "BigCodec: Pushing the Limits of Low-Bitrate Neural Speech Codec",
            ArXiv = "2409.05377",
            Authors = ["Detai Xin", "Xu Tan", "Shinnosuke Takamichi", "Hiroshi Saruwatari"],
            Repository = "Aria-K-Alethia/BigCodec",
            CodeLicense = "MIT",
            WeightsLicense = "CC-BY-NC-4.0",
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tokens, Modality.Audio],
            Layouts = ["authors: bigcodec.pt + config.yaml"],
            Sizes = [new("Alethia/BigCodec", 159_410_569, [])],
        },
        OpenAsync);

    internal static IReadOnlyList<string> Inventory(BigCodecConfig config) =>
    [
        .. Network.Inventory(scope => Encoder(scope, config.CodecEncoder)),
        .. Network.Inventory(scope =>
        {
            Quantizer(scope, config.CodecDecoder);
            Decoder(scope, config.CodecDecoder);
        }),
    ];

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_encoder, _quantizer, _decoder, _dequantizer];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                var audio = arguments.Tensor<float>("audio");
                return await EncodeAsync(arguments.Literal("pad_to_hop", false) ? PadFrame(audio) : audio, cancel).ConfigureAwait(false);
            case "decode":
                return (await _decoder.RunAsync(cancel, ("quantized", arguments.Tensor("quantized"))).ConfigureAwait(false)).ToResults();
            case "vq2emb":
                return (await _dequantizer.RunAsync(cancel, ("codes", arguments.Tensor("codes"))).ConfigureAwait(false)).ToResults();
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"BigCodec has no call '{call}'.") { Expected = "encode, decode, vq2emb" };
        }
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<int>> EncodeAsync(Tensor<float> samples, int codebooks, CancellationToken cancel)
    {
        var codes = ((Tensor<long>)(await EncodeAsync(PadFrame(samples), cancel).ConfigureAwait(false)).Tensor("codes")).ToTokensByCodebook();
        return Tensor.Create(codes.Span[..(codebooks * (int)codes.Shape[1])].ToArray(), codebooks, codes.Shape[1]);
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel)
    {
        if (codes.Shape[0] != Format.Codebooks) throw new MediaException(ErrorCodes.TokensInvalid, "BigCodec decodes all of its codebooks.") { Expected = $"{Format.Codebooks}", Found = $"{codes.Shape[0]}" };
        var outputs = await _dequantizer.RunAsync(cancel, ("codes", codes.ToCodes().Reshape(codes.Shape[0], 1, codes.Shape[1]))).ConfigureAwait(false);
        return (await _decoder.RunAsync(cancel, ("quantized", outputs["quantized"])).ConfigureAwait(false))["reconstruction"];
    }

    private async Task<CallResults> EncodeAsync(Tensor<float> audio, CancellationToken cancel)
    {
        var encoded = await _encoder.RunAsync(cancel, ("samples", audio)).ConfigureAwait(false);
        return encoded.ToResults().AddRange((await _quantizer.RunAsync(cancel, ("z", encoded["z"])).ConfigureAwait(false)).ToResults());
    }

    private static void Encoder(Scope scope, BigCodecEncoderConfig config) =>
        scope.Graph.Output("z", BigCodecNetwork.Encode(scope, scope.Graph.Input("samples", [Dim.Symbol("batch"), 1, Dim.Symbol("samples")]), config));

    private static void Quantizer(Scope scope, BigCodecDecoderConfig config)
    {
        var (codes, quantized) = BigCodecNetwork.Quantize(scope, scope.Graph.Input("z", [Dim.Symbol("batch"), config.VqDim, Dim.Symbol("frames")]), config);
        scope.Graph.Output("codes", codes);
        scope.Graph.Output("quantized", quantized);
    }

    private static void Dequantizer(Scope scope, BigCodecDecoderConfig config) =>
        scope.Graph.Output("quantized", BigCodecNetwork.Dequantize(scope, scope.Graph.Input("codes", ElementType.Int64, [config.CodebookSizes.Length, Dim.Symbol("batch"), Dim.Symbol("frames")]), config));

    private static void Decoder(Scope scope, BigCodecDecoderConfig config) =>
        scope.Graph.Output("reconstruction", BigCodecNetwork.Decode(scope, scope.Graph.Input("quantized", [Dim.Symbol("batch"), config.InChannels, Dim.Symbol("frames")]), config));

    // As published: a whole frame of zeros is added when nothing is missing.
    private Tensor<float> PadFrame(Tensor<float> samples) => samples.PadBy(_config.HopLength - (int)samples.Shape[^1] % _config.HopLength);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var config = PublishedConfig.Read<BigCodecConfig>(folder).Value;
        var file = source.Parts.Count > 0 ? Path.Combine(folder, source.Parts[0].File) : folder;
        var (encoder, generator) = (Checkpoint.Open(file, "CodecEnc"), Checkpoint.Open(file, "generator"));
        return ValueTask.FromResult<IModel>(new BigCodecModel(source.Id.ToString(), config, generator, NetworkContext.Of(source, KeyMap.WeightNorm.Apply(encoder)), NetworkContext.Of(source, KeyMap.WeightNorm.Apply(generator))));
    }
}
