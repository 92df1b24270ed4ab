// SpeechTokenizer: Unified Speech Tokenizer for Speech Large Language Models. Zhang, Zhang, Li, Zhou, Qiu. arXiv:2308.16692. github.com/ZhangXInFD/SpeechTokenizer
// Published layout: config.json + SpeechTokenizer.pt (fnlp/SpeechTokenizer, fnlp/AnyGPT-speech-modules). Deviations: none.
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>The published configuration.</summary>
public sealed record SpeechTokenizerConfig
{
    [Range(1, 768000)] public int SampleRate { get; init; } = 16000;
    [Range(1, 4096)] public int NFilters { get; init; } = 64;
    [Length(1, 16)] public int[] Strides { get; init; } = [8, 5, 4, 2];
    [Range(1, 65536)] public int Dimension { get; init; } = 1024;
    [Range(1, 65536)] public int SemanticDimension { get; init; } = 768;
    public bool Bidirectional { get; init; } = true;
    [Range(1, 64)] public int DilationBase { get; init; } = 2;
    [Range(1, 1024)] public int ResidualKernelSize { get; init; } = 3;
    [Range(0, 64)] public int NResidualLayers { get; init; } = 1;
    [Range(0, 16)] public int LstmLayers { get; init; } = 2;
    [AllowedValues("ELU", "CELU", "Snake")] public string Activation { get; init; } = "ELU";
    [Range(2, 1 << 20)] public int CodebookSize { get; init; } = 1024;
    [JsonPropertyName("n_q"), Range(1, 256)] public int NQ { get; init; } = 8;

    internal SeaNetSpec SeaNet => new()
    {
        Dimension = Dimension,
        Filters = NFilters,
        Ratios = Strides,
        ResidualLayers = NResidualLayers,
        ResidualKernelSize = ResidualKernelSize,
        DilationBase = DilationBase,
        LstmLayers = LstmLayers,
        BidirectionalEncoder = Bidirectional,
        Snake = Activation == "Snake",                                                              // CELU is ELU at the one alpha that the authors' code gives
    };
}

/// <summary>A codec whose first codebook was taught by HuBERT to hold what is said, and the others how.</summary>
public sealed class SpeechTokenizerModel : CodecModel
{
    private readonly SpeechTokenizerConfig _config;
    private readonly NetworkCache<(int First, int Codebooks, int Samples)> _encoders;
    private readonly NetworkCache<(int First, int Codebooks, int Frames)> _decoders;
    private readonly Network _semantic;

    private SpeechTokenizerModel(string id, SpeechTokenizerConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(id, new(config.SampleRate, config.SeaNet.HopLength, config.NQ, config.CodebookSize), checkpoint)
    {
        _config = config;
        _encoders = new(key => Network.Build(context, "speechtokenizer encoder", scope => Encoder(scope, key.First, key.Codebooks, key.Samples, config)));
        _decoders = new(key => Network.Build(context, "speechtokenizer decoder", scope => Decoder(scope, key.First, key.Codebooks, key.Frames, config)));
        _semantic = Network.Build(context, "speechtokenizer semantics", scope => Semantics(scope, config));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/speechtokenizer",
            Paper = "SpeechTokenizer: Unified Speech Tokenizer for Speech Large Language Models",
            ArXiv = "2308.16692",
            Authors = ["Xin Zhang", "Dong Zhang", "Shimin Li", "Yaqian Zhou", "Xipeng Qiu"],
            Repository = "ZhangXInFD/SpeechTokenizer",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "Apache-2.0",
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tokens, Modality.Audio],
            Layouts = ["config.json + SpeechTokenizer.pt"],
            Sizes = [new("fnlp/SpeechTokenizer: speechtokenizer_hubert_avg", 112_064_194, [])],
        },
        OpenAsync);

    internal static IReadOnlyList<string> Inventory(SpeechTokenizerConfig config) => Network.Inventory(scope =>
    {
        Encoder(scope, 0, config.NQ, samples: 0, config);
        Decoder(scope, 0, config.NQ, frames: 0, config);
        Semantics(scope, config);
    });

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [.. _encoders.Built, .. _decoders.Built, _semantic];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                return (await RunEncoderAsync(arguments.Tensor<float>("audio"), arguments.Literal("st", 0), arguments.Literal("n_q", _config.NQ), cancel).ConfigureAwait(false)).ToResults();
            case "decode":
                return await DecodeAsync(arguments.Tensor<long>("codes"), arguments.Literal("st", 0), cancel).ConfigureAwait(false);
            case "forward":
                var codes = (await RunEncoderAsync(arguments.Tensor<float>("audio"), 0, arguments.Literal("n_q", _config.NQ), cancel).ConfigureAwait(false)).Get<long>("codes");
                var features = await _semantic.RunAsync(cancel, ("codes", codes.Slice(0))).ConfigureAwait(false);
                return features.ToResults().AddRange(await DecodeAsync(codes, 0, cancel).ConfigureAwait(false));
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"SpeechTokenizer has no call '{call}'.") { Expected = "encode, decode, forward" };
        }
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<int>> EncodeAsync(Tensor<float> samples, int codebooks, CancellationToken cancel) =>
        (await RunEncoderAsync(samples, 0, codebooks, cancel).ConfigureAwait(false)).Get<long>("codes").ToTokensByCodebook();

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel) =>
        (Tensor<float>)(await DecodeAsync(codes.ToCodes().Reshape(codes.Shape[0], 1, codes.Shape[1]), 0, cancel).ConfigureAwait(false)).Tensor("reconstruction");

    // Codebooks first..end; those before first are passed over, not subtracted.
    private Task<NetworkOutputs> RunEncoderAsync(Tensor<float> samples, int first, int end, CancellationToken cancel)
    {
        var length = (int)samples.Shape[2];
        return _encoders[(first, end - first, length <= _config.SeaNet.ShortFrames * _config.SeaNet.HopLength ? length : 0)].RunAsync(cancel, ("samples", samples));
    }

    private async Task<CallResults> DecodeAsync(Tensor<long> codes, int first, CancellationToken cancel)
    {
        var frames = (int)codes.Shape[2];
        var network = _decoders[(first, (int)codes.Shape[0], frames <= _config.SeaNet.ShortFrames ? frames : 0)];
        return (await network.RunAsync(cancel, ("codes", codes)).ConfigureAwait(false)).ToResults();
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<SpeechTokenizerConfig>(source.RequireFolder()).Value;
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new SpeechTokenizerModel(source.Id.ToString(), config, checkpoint, NetworkContext.Of(source, KeyMap.WeightNorm.Then(SeaNet.AuthorsKeys).Apply(checkpoint))));
    }

    // Zero stands for any length that is long enough.
    private static void Encoder(Scope scope, int first, int codebooks, int samples, SpeechTokenizerConfig config)
    {
        var x = scope.Graph.Input("samples", [Dim.Symbol("batch"), 1, samples == 0 ? Dim.Symbol("samples") : samples]);
        var latent = scope.Stage("latent", SeaNet.Encode(scope["encoder"], x, config.SeaNet));
        scope.Graph.Output("codes", ValueShape.Stack(0, EuclideanQuantizer.Quantize(latent, Codebooks(scope, first, codebooks, config))));      // (Q, B, T)
    }

    private static void Decoder(Scope scope, int first, int codebooks, int frames, SpeechTokenizerConfig config)
    {
        var codes = scope.Graph.Input("codes", ElementType.Int64, [codebooks, Dim.Symbol("batch"), frames == 0 ? Dim.Symbol("frames") : frames]);
        var quantized = EuclideanQuantizer.Dequantize([.. Enumerable.Range(0, codebooks).Select(i => codes.At(0, i))], Codebooks(scope, first, codebooks, config));
        scope.Graph.Output("reconstruction", SeaNet.Decode(scope["decoder"], scope.Stage("quantized", quantized), config.SeaNet));
    }

    // What the first codebook says, in HuBERT's space (section 3.2).
    private static void Semantics(Scope scope, SpeechTokenizerConfig config)
    {
        var codes = scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("frames")]);
        var rows = Codebooks(scope, 0, 1, config)[0].Rows.Gather(codes);
        scope.Graph.Output("semantic_feature", config.Dimension == config.SemanticDimension ? rows : scope["transform"].Linear(rows, config.SemanticDimension));
    }

    private static Codebook[] Codebooks(Scope scope, int first, int count, SpeechTokenizerConfig config) =>
        [.. Enumerable.Range(first, count).Select(i => Codebook.Stored(scope["quantizer.layers"][i]["codebook"], config.CodebookSize, config.Dimension))];
}
