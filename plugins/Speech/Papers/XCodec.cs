// Codec Does Matter: Exploring the Semantic Shortcoming of Codec for Audio Language Model. Ye et al. arXiv:2408.17175. github.com/zhenye234/xcodec
// Published layout: transformers XcodecModel (hf-audio/xcodec-*: config.json + model.safetensors). Deviations: none; what only training uses (decoder_semantic, fc1) is not read.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>The published configuration; defaults are those of the models that were trained with HuBERT.</summary>
public sealed record XCodecConfig
{
    [Range(1, 768000)] public int SampleRate { get; init; } = 16000;
    [Length(1, 64)] public double[] TargetBandwidths { get; init; } = [0.5, 1, 1.5, 2, 4];           // kbit/s
    [Range(1, 64)] public int KernelSize { get; init; } = 3;
    [Length(1, 16)] public double[] ChannelRatios { get; init; } = [1, 1];
    [Length(1, 16)] public int[] Strides { get; init; } = [1, 1];
    [Length(1, 16)] public int[] BlockDilations { get; init; } = [1, 1];
    [Range(1, 64)] public int UnitKernelSize { get; init; } = 3;
    [Range(2, 1 << 20)] public int CodebookSize { get; init; } = 1024;
    [Range(1, 65536)] public int? CodebookDim { get; init; }
    public DacConfig AcousticModelConfig { get; init; } = new() { EncoderHiddenSize = 64, DownsamplingRatios = [8, 5, 4, 2], DecoderHiddenSize = 1024, UpsamplingRatios = [8, 5, 4, 2], HiddenSize = 256 };
    public Wav2Vec2Config SemanticModelConfig { get; init; } = new();

    /// <summary>Width of a frame: sound and meaning side by side.</summary>
    internal int HiddenSize => AcousticModelConfig.LatentSize + SemanticModelConfig.HiddenSize;

    /// <summary>Frames per second.</summary>
    internal int FrameRate => (SampleRate + AcousticModelConfig.HopLength - 1) / AcousticModelConfig.HopLength;

    /// <summary>Codebooks that the largest bandwidth pays for.</summary>
    internal int NumQuantizers => (int)Math.Floor(1000 * TargetBandwidths[^1] / (FrameRate * Math.Ceiling(Math.Log2(CodebookSize))));

    /// <summary>Codebooks that a bandwidth in kbit/s pays for.</summary>
    internal int QuantizersFor(double bandwidth) => Math.Clamp((int)Math.Floor(bandwidth / (Math.Log2(CodebookSize) * FrameRate / 1000)), 1, NumQuantizers);
}

/// <summary>The Descript codec's convolutions beside a network that knows what is said; one residual quantizer over both.</summary>
internal static class XCodecNetwork
{
    /// <summary>The acoustic part under the names of the Descript codec.</summary>
    public static KeyMap Keys(XCodecConfig config) =>
        KeyMap.WeightNorm.Then(new((@"^acoustic_(encoder|decoder)\.", "$1."))).Then(DacModel.TransformersKeys(config.AcousticModelConfig.DownsamplingRatios.Length));

    /// <summary>x (B, 1, samples), padded -> (B, C, T).</summary>
    public static Value Semantic(Scope model, Value x, XCodecConfig config)
    {
        var states = Wav2Vec2Network.HiddenStates(model["semantic_model"], x.Squeeze(1), null, config.SemanticModelConfig);
        var mean = (states.Aggregate((sum, state) => sum + state) / states.Count).Swap(1, 2);
        var (encoder, width) = (model["encoder_semantic"], config.SemanticModelConfig.HiddenSize);
        var h = encoder["conv"].Conv(model.Stage("semantic_features", mean), width, config.KernelSize, padding: config.KernelSize / 2, bias: false);
        for (var i = 0; i < config.Strides.Length; i++)
        {
            var (block, stride) = (encoder["conv_blocks"][i], config.Strides[i]);
            for (var unit = 0; unit < config.BlockDilations.Length; unit++) h = ResidualUnit(block["res_units"][unit], h, config.BlockDilations[unit], config.UnitKernelSize);
            var kernel = stride == 1 ? 3 : 2 * stride;
            h = block["conv"].Conv(h, (long)(width * config.ChannelRatios[i]), kernel, stride, (kernel - 1) / 2);
        }

        return h;
    }

    /// <summary>Both latents to codes (B, T) of every codebook.</summary>
    public static Value[] Quantize(Scope model, Value acoustic, Value semantic, XCodecConfig config)
    {
        var z = model["fc"].Linear(ValueShape.Concat(1, acoustic, semantic).Swap(1, 2), config.HiddenSize);  // (B, T, D)
        return EuclideanQuantizer.Quantize(model.Stage("latent", z).Swap(1, 2), Codebooks(model, config.NumQuantizers, config));
    }

    /// <summary>codes (B, Q, T) -> samples (B, 1, samples).</summary>
    public static Value Decode(Scope model, Value codes, XCodecConfig config)
    {
        var count = codes.Shape[1].Int;
        var z = EuclideanQuantizer.Dequantize([.. Enumerable.Range(0, count).Select(i => codes.At(1, i))], Codebooks(model, count, config));
        z = model.Stage("quantized_acoustic", model["fc2"].Linear(z.Swap(1, 2), config.AcousticModelConfig.LatentSize).Swap(1, 2));
        return DacNetwork.Decode(model, z, config.AcousticModelConfig, exact: true);
    }

    private static Value ResidualUnit(Scope unit, Value x, int dilation, int kernel)
    {
        var width = x.Shape[1].Size;
        var h = unit["conv1"].Conv(x.Elu(), width, kernel, padding: (kernel - 1) / 2 * dilation, dilation: dilation, bias: false);
        return x + unit["conv2"].Conv(h.Elu(), width, kernel: 1, bias: false);
    }

    private static Codebook[] Codebooks(Scope model, int count, XCodecConfig config) =>
        [.. Enumerable.Range(0, count).Select(i => Codebook.Stored(model["quantizer.quantizers"][i]["codebook"], config.CodebookSize, config.CodebookDim ?? config.HiddenSize))];
}

/// <summary>A codec whose tokens hold what is said beside how it sounds.</summary>
public sealed class XCodecModel : CodecModel
{
    private readonly XCodecConfig _config;
    private readonly Network _semantic, _acoustic, _quantizer;
    private readonly NetworkCache<int> _decoders;

    private XCodecModel(string id, XCodecConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(id, new(config.SampleRate, config.AcousticModelConfig.HopLength, config.NumQuantizers, config.CodebookSize), checkpoint)
    {
        _config = config;
        _semantic = Network.Build(context, "xcodec semantics", scope => Semantic(scope, config));
        _acoustic = Network.Build(context with { Stages = false }, "xcodec acoustics", scope => Acoustic(scope, config));
        _quantizer = Network.Build(context, "xcodec quantizer", scope => Quantizer(scope, config));
        _decoders = new(codebooks => Network.Build(context, "xcodec decoder", scope => Decoder(scope, codebooks, config)));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/xcodec",
            Paper = "Codec Does Matter: Exploring the Semantic Shortcoming of Codec for Audio Language Model",
            ArXiv = "2408.17175",
            Authors = ["Zhen Ye", "Peiwen Sun", "Jiahe Lei", "Hongzhan Lin", "Xu Tan", "Zheqi Dai", "Qiuqiang Kong", "Jianyi Chen", "Jiahao Pan", "Qifeng Liu", "Yike Guo", "Wei Xue"],
            Repository = "zhenye234/xcodec",
            CodeLicense = "none stated",
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tokens, Modality.Audio],
            Layouts = ["transformers: config.json + model.safetensors"],
            Sizes = [new("hf-audio/xcodec-hubert-librispeech", 151_782_657, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_semantic, _acoustic, _quantizer, .. _decoders.Built];

    /// <summary>Every tensor of a configuration, weight norm folded, without any weights.</summary>
    internal static IReadOnlyList<string> Inventory(XCodecConfig config) => Network.Inventory(scope =>
    {
        Semantic(scope, config);
        Acoustic(scope, config);
        Quantizer(scope, config);
        Decoder(scope, config.NumQuantizers, config);
    });

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                return await EncodeCallAsync(arguments.Tensor<float>("input_values"), _config.QuantizersFor(Bandwidth(arguments)), cancel).ConfigureAwait(false);
            case "decode":
                var codes = arguments.Tensor<long>("audio_codes");
                return (await _decoders[(int)codes.Shape[1]].RunAsync(cancel, ("codes", codes)).ConfigureAwait(false)).ToResults();
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"X-Codec has no call '{call}'.") { Expected = "encode, decode" };
        }
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<int>> EncodeAsync(Tensor<float> samples, int codebooks, CancellationToken cancel) =>
        (await EncodeCallAsync(samples.PadTo(_config.AcousticModelConfig.HopLength), codebooks, cancel).ConfigureAwait(false)).Tensor("codes").As<long>().ToTokens();

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel) =>
        (await _decoders[(int)codes.Shape[0]].RunAsync(cancel, ("codes", codes.ToCodes())).ConfigureAwait(false))["reconstruction"];

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<XCodecConfig>(source.RequireFolder()).Value;
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new XCodecModel(source.Id.ToString(), config, checkpoint, NetworkContext.Of(source, XCodecNetwork.Keys(config).Apply(checkpoint))));
    }

    private static Value Samples(Scope scope) => scope.Graph.Input("samples", [Dim.Symbol("batch"), 1, Dim.Symbol("samples")]);

    private static void Semantic(Scope scope, XCodecConfig config) => scope.Graph.Output("semantic_latent", XCodecNetwork.Semantic(scope, Samples(scope), config));

    private static void Acoustic(Scope scope, XCodecConfig config) => scope.Graph.Output("acoustic_latent", DacNetwork.Encode(scope, Samples(scope), config.AcousticModelConfig));

    private static void Quantizer(Scope scope, XCodecConfig config)
    {
        Value Input(string name, long width) => scope.Graph.Input(name, [Dim.Symbol("batch"), width, Dim.Symbol("frames")]);
        var acoustic = Input("acoustic_latent", config.AcousticModelConfig.LatentSize);
        scope.Graph.Output("codes", ValueShape.Stack(1, XCodecNetwork.Quantize(scope, acoustic, Input("semantic_latent", config.HiddenSize - config.AcousticModelConfig.LatentSize), config)));
    }

    private static void Decoder(Scope scope, int codebooks, XCodecConfig config)
    {
        var codes = scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), codebooks, Dim.Symbol("frames")]);
        scope.Graph.Output("reconstruction", XCodecNetwork.Decode(scope, codes, config));
    }

    private async Task<CallResults> EncodeCallAsync(Tensor<float> samples, int codebooks, CancellationToken cancel)
    {
        var padded = samples.PadBothBy(_config.AcousticModelConfig.HopLength / 2);
        var semantic = await _semantic.RunAsync(cancel, ("samples", padded)).ConfigureAwait(false);
        var acoustic = (await _acoustic.RunAsync(cancel, ("samples", samples)).ConfigureAwait(false))["acoustic_latent"];
        // The two count frames differently at some lengths; the padded sound then makes them agree.
        if (acoustic.Shape[2] != semantic["semantic_latent"].Shape[2]) acoustic = (await _acoustic.RunAsync(cancel, ("samples", padded)).ConfigureAwait(false))["acoustic_latent"];
        var quantized = await _quantizer.RunAsync(cancel, ("acoustic_latent", acoustic), ("semantic_latent", semantic["semantic_latent"])).ConfigureAwait(false);
        return semantic.ToResults().Add("acoustic_latent", acoustic).AddRange(quantized.ToResults().Without("codes")).Add("codes", quantized.Get<long>("codes").TakeRows(codebooks));
    }

    private double Bandwidth(CallArguments arguments)
    {
        var bandwidth = arguments.Literal("bandwidth", _config.TargetBandwidths[^1]);
        return _config.TargetBandwidths.Contains(bandwidth) ? bandwidth : throw new OptionsException(ErrorCodes.OptionRange, "The model was not trained for this bandwidth.")
        { Where = "bandwidth", Expected = string.Join(", ", _config.TargetBandwidths), Found = $"{bandwidth}" };
    }
}
