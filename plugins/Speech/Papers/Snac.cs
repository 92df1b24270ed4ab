// SNAC: Multi-Scale Neural Audio Codec. Siuzdak, Grötschla, Lanzendörfer. arXiv:2410.14411. github.com/hubertsiuzdak/snac
// Published layout: config.json + pytorch_model.bin (hubertsiuzdak/snac_24khz, snac_32khz, snac_44khz). Deviations: none; tokens of several rates are one sequence, coarse to fine,
// and `detokenize` draws the decoder's noise from seed 0, so that a recording always decodes the same.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Speech;

/// <summary>The published configuration; defaults are those of the 24 kHz model.</summary>
public sealed record SnacConfig
{
    [Range(1, 768000)] public int SamplingRate { get; init; } = 24000;
    [Range(1, 4096)] public int EncoderDim { get; init; } = 48;
    [Length(1, 16)] public int[] EncoderRates { get; init; } = [2, 4, 8, 8];
    [Range(1, 65536)] public int? LatentDim { get; init; }
    [Range(1, 65536)] public int DecoderDim { get; init; } = 1024;
    [Length(1, 16)] public int[] DecoderRates { get; init; } = [8, 8, 4, 2];
    [Range(1, 65536)] public int? AttnWindowSize { get; init; }
    [Range(2, 1 << 20)] public int CodebookSize { get; init; } = 4096;
    [Range(1, 4096)] public int CodebookDim { get; init; } = 8;
    [Length(1, 16)] public int[] VqStrides { get; init; } = [4, 2, 1];
    public bool Noise { get; init; } = true;
    public bool Depthwise { get; init; } = true;

    /// <summary>Width of the latent frames.</summary>
    public int LatentSize => LatentDim ?? EncoderDim << EncoderRates.Length;

    /// <summary>Samples of one frame.</summary>
    public int HopLength => EncoderRates.Aggregate(1, (product, rate) => product * rate);

    /// <summary>Samples that the input is padded to a multiple of: whole windows and whole frames of the coarsest codebook.</summary>
    public int PadMultiple => HopLength * LeastCommonMultiple(VqStrides[0], AttnWindowSize ?? 1);

    private static int LeastCommonMultiple(int a, int b) => a / (int)System.Numerics.BigInteger.GreatestCommonDivisor(a, b) * b;
}

/// <summary>The Descript stack with depthwise convolutions, local attention and noise; codebooks look at the residual at rates of their own.</summary>
internal static class SnacNetwork
{
    private static readonly int[] Dilations = [1, 3, 9];
    private const int HeadWidth = 64;

    /// <summary>x (B, 1, T) -> (B, D, frames).</summary>
    public static Value Encode(Scope model, Value x, SnacConfig config)
    {
        var (block, next) = (model["encoder.block"], 0);
        x = model.Stage("encoder_conv0", block[next++].FoldedConv(x, config.EncoderDim, kernel: 7, padding: 3));
        foreach (var rate in config.EncoderRates)
        {
            x = SnakeStack.EncoderBlock(block[next++], x, rate, SnakeStack.Snake, Dilations, config.Depthwise ? x.Shape[1].Size : 1);
            if (next == 2) model.Stage("encoder_block0", x);
        }

        if (config.AttnWindowSize is { } window) x = model.Stage("encoder_attention", LocalAttention(block[next++], x, window));
        var width = x.Shape[1].Size;
        return model.Stage("latent", block[next].FoldedConv(x, width, kernel: 7, padding: 3, groups: config.Depthwise ? width : 1));
    }

    /// <summary>Codes of each codebook, (B, frames / stride), and what they stand for together, (B, D, frames).</summary>
    public static (Value[] Codes, Value Quantized) Quantize(Scope model, Value z, SnacConfig config)
    {
        var (residual, quantized, codes) = (z, default(Value), new Value[config.VqStrides.Length]);
        for (var i = 0; i < codes.Length; i++)
        {
            var (quantizer, stride) = (model["quantizer.quantizers"][i], config.VqStrides[i]);
            var coarse = stride > 1 ? residual.AveragePool(stride, stride) : residual;
            codes[i] = FactorizedQuantizer.Nearest(quantizer, FactorizedQuantizer.Project(quantizer, coarse, config.CodebookDim), config.CodebookSize);
            var part = Lookup(quantizer, codes[i], stride, config);
            quantized = quantized is null ? part : quantized + part;
            residual -= part;
        }

        return (codes, quantized!);
    }

    /// <summary>Codes of each codebook to latent frames.</summary>
    public static Value Dequantize(Scope model, IReadOnlyList<Value> codes, SnacConfig config) =>
        codes.Select((ids, i) => Lookup(model["quantizer.quantizers"][i], ids, config.VqStrides[i], config)).Aggregate((sum, part) => sum + part);

    /// <summary>z (B, D, frames) and one noise (B, 1, t) for each rate -> (B, 1, samples).</summary>
    public static Value Decode(Scope model, Value z, IReadOnlyList<Value> noise, SnacConfig config)
    {
        var (block, next) = (model["decoder.model"], 0);
        var x = config.Depthwise
            ? block[next + 1].FoldedConv(block[next].FoldedConv(z, config.LatentSize, kernel: 7, padding: 3, groups: config.LatentSize), config.DecoderDim, kernel: 1)
            : block[next].FoldedConv(z, config.DecoderDim, kernel: 7, padding: 3);
        next += config.Depthwise ? 2 : 1;
        if (config.AttnWindowSize is { } window) x = model.Stage("decoder_attention", LocalAttention(block[next++], x, window));
        for (var i = 0; i < config.DecoderRates.Length; i++)
        {
            var width = x.Shape[1].Size / 2;
            Func<Scope, Value, Value>? addNoise = config.Noise ? (scope, h) => h + noise[i] * scope["linear"].FoldedConv(h, width, kernel: 1, bias: false) : null;
            x = SnakeStack.DecoderBlock(block[next++], x, width, config.DecoderRates[i], SnakeStack.Snake, Dilations, outputPadding: true, config.Depthwise ? width : 1, addNoise);
            if (i == 0) model.Stage("decoder_block0", x);
        }

        return block[next + 1].FoldedConv(SnakeStack.Snake(block[next], x), 1, kernel: 7, padding: 3).Tanh();
    }

    private static Value Lookup(Scope quantizer, Value codes, int stride, SnacConfig config) =>
        FactorizedQuantizer.Lookup(quantizer, codes, config.CodebookSize, config.CodebookDim, config.LatentSize).RepeatInterleave(2, stride);

    // Attention within windows that do not overlap, rotary positions counted from each window's start.
    private static Value LocalAttention(Scope scope, Value x, int window)
    {
        var width = x.Shape[1].Size;
        var h = scope["norm"].LayerNorm(x.Swap(1, 2));                                              // (B, T, C)
        var windows = h.Reshape(-1, window, width);
        var (q, k, v) = scope["to_qkv"].Qkv(windows, width, bias: false);
        var (cos, sin) = PositionLayers.RotaryAngles(scope.Graph, window, HeadWidth);
        var heads = width / HeadWidth;
        var attended = AttentionLayers.Attention(q.Rotary(heads, cos, sin), k.Rotary(heads, cos, sin), v, new() { Heads = heads });
        return scope["to_out"].Linear(attended, width, bias: false).Reshape([.. h.Shape]).Swap(1, 2) + x;
    }
}

/// <summary>The multi-scale codec.</summary>
public sealed class SnacModel : CodecModel
{
    private readonly SnacConfig _config;
    private readonly Network _encoder, _decoder;

    private SnacModel(string id, SnacConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(id, new(config.SamplingRate, config.HopLength, config.VqStrides.Length, config.CodebookSize, TokenLayout.CoarseToFine), checkpoint)
    {
        _config = config;
        _encoder = Network.Build(context, "snac encoder", scope => Encoder(scope, config));
        _decoder = Network.Build(context, "snac decoder", scope => Decoder(scope, config));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/snac",
            Paper = "SNAC: Multi-Scale Neural Audio Codec",
            ArXiv = "2410.14411",
            Authors = ["Hubert Siuzdak", "Florian Grötschla", "Luca A. Lanzendörfer"],
            Repository = "hubertsiuzdak/snac",
            CodeLicense = "MIT",
            WeightsLicense = "MIT",
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tokens, Modality.Audio],
            Layouts = ["config.json + pytorch_model.bin"],
            Sizes = [new("hubertsiuzdak/snac_24khz", 19_823_577, []), new("hubertsiuzdak/snac_32khz", 54_517_921, []), new("hubertsiuzdak/snac_44khz", 54_517_921, [])],
            Deviations = "Tokens of several rates are one sequence, coarse to fine; detokenize draws the decoder's noise from seed 0.",
        },
        OpenAsync);

    internal static IReadOnlyList<string> Inventory(SnacConfig config) => Network.Inventory(scope =>
    {
        Encoder(scope, config);
        Decoder(scope, config);
    });

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_encoder, _decoder];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                return (await _encoder.RunAsync(cancel, ("samples", arguments.Tensor<float>("audio").PadTo(_config.PadMultiple))).ConfigureAwait(false)).ToResults();
            case "decode":
                var inputs = _config.VqStrides.Select((_, i) => ($"codes_{i}", arguments.Tensor($"codes_{i}")));
                if (_config.Noise) inputs = inputs.Concat(_config.DecoderRates.Select((_, i) => ($"noise_{i}", arguments.Tensor($"noise_{i}"))));
                return (await _decoder.RunAsync(cancel, [.. inputs]).ConfigureAwait(false)).ToResults();
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"SNAC has no call '{call}'.") { Expected = "encode, decode" };
        }
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<int>> EncodeAsync(Tensor<float> samples, int codebooks, CancellationToken cancel)
    {
        var outputs = await _encoder.RunAsync(cancel, ("samples", samples.PadTo(_config.PadMultiple))).ConfigureAwait(false);
        var ids = Enumerable.Range(0, codebooks).SelectMany(i => outputs.Get<long>($"codes_{i}").Span.ToArray()).Select(code => (int)code).ToArray();
        return Tensor.Create(ids, ids.Length);
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel)
    {
        // A frame of the coarsest codebook goes with the same share of every other's.
        var shares = _config.VqStrides.Select(stride => _config.VqStrides[0] / stride).ToArray();
        if (codes.Length % shares.Sum() != 0)
            throw new MediaException(ErrorCodes.TokensInvalid, "SNAC's tokens hold whole frames of every codebook.") { Expected = $"a multiple of {shares.Sum()} tokens", Found = $"{codes.Length}" };
        var frames = codes.Length / shares.Sum();
        var inputs = new List<(string, Tensor)>();
        var start = 0;
        for (var i = 0; i < shares.Length; start += frames * shares[i++])
            inputs.Add(($"codes_{i}", Tensor.Create(codes.Span.Slice(start, frames * shares[i]).ToArray().Select(id => (long)id).ToArray(), 1, frames * shares[i])));
        if (_config.Noise)
        {
            var length = (long)frames * _config.VqStrides[0];
            for (var i = 0; i < _config.DecoderRates.Length; i++) inputs.Add(($"noise_{i}", Noise.Normal((ulong)i, 1, 1, length *= _config.DecoderRates[i])));
        }

        return (await _decoder.RunAsync(cancel, [.. inputs]).ConfigureAwait(false))["reconstruction"];
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<SnacConfig>(source.RequireFolder()).Value;
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new SnacModel(source.Id.ToString(), config, checkpoint, NetworkContext.Of(source, KeyMap.WeightNorm.Apply(checkpoint))));
    }

    private static void Encoder(Scope scope, SnacConfig config)
    {
        var x = scope.Graph.Input("samples", [Dim.Symbol("batch"), 1, config.PadMultiple * Dim.Symbol("windows")]);
        var (codes, quantized) = SnacNetwork.Quantize(scope, SnacNetwork.Encode(scope, x, config), config);
        scope.Stage("quantized", quantized);
        for (var i = 0; i < codes.Length; i++) scope.Graph.Output($"codes_{i}", codes[i]);
    }

    private static void Decoder(Scope scope, SnacConfig config)
    {
        // All lengths follow from the frames of the coarsest codebook, which fill whole attention windows.
        var (batch, coarse) = (Dim.Symbol("batch"), config.PadMultiple / (config.HopLength * config.VqStrides[0]) * Dim.Symbol("windows"));
        var codes = config.VqStrides.Select((stride, i) => scope.Graph.Input($"codes_{i}", ElementType.Int64, [batch, coarse * (config.VqStrides[0] / stride)])).ToArray();
        var length = coarse * config.VqStrides[0];
        var noise = config.Noise ? config.DecoderRates.Select((rate, i) => scope.Graph.Input($"noise_{i}", [batch, 1, length *= rate])).ToArray() : [];
        scope.Graph.Output("reconstruction", SnacNetwork.Decode(scope, SnacNetwork.Dequantize(scope, codes, config), noise, config));
    }
}
