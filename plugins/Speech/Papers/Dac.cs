// High-Fidelity Audio Compression with Improved RVQGAN. Kumar, Seetharaman, Luebs, Kumar, Kumar. arXiv:2306.06546. github.com/descriptinc/descript-audio-codec
// Published layouts: descript (weights.pth: state_dict and metadata.kwargs, weight norm), transformers DacModel (config.json + model.safetensors, weight norm folded). Deviations: none.
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>The published configuration, in transformers' names; defaults are those of the 16 kHz model.</summary>
public sealed record DacConfig
{
    [Range(1, 768000)] public int SamplingRate { get; init; } = 16000;
    [Range(1, 4096)] public int EncoderHiddenSize { get; init; } = 64;
    [Length(1, 16)] public int[] DownsamplingRatios { get; init; } = [2, 4, 8, 8];
    [Range(1, 65536)] public int DecoderHiddenSize { get; init; } = 1536;
    [Length(1, 16)] public int[]? UpsamplingRatios { get; init; }
    [Range(1, 65536)] public int? HiddenSize { get; init; }
    [Range(1, 256)] public int NCodebooks { get; init; } = 9;
    [Range(2, 1 << 20)] public int CodebookSize { get; init; } = 1024;
    [JsonConverter(typeof(OneOrMany)), Length(1, 256)] public int[] CodebookDim { get; init; } = [8];

    /// <summary>Width that a codebook searches in: one for all, or each its own.</summary>
    public int CodebookWidth(int codebook) => CodebookDim.Length == 1 ? CodebookDim[0] : codebook < CodebookDim.Length ? CodebookDim[codebook]
        : throw new ModelZooException(ErrorCodes.ConfigInvalid, "There are fewer widths than codebooks.") { Where = "codebook_dim", Expected = $"{NCodebooks} numbers", Found = $"{CodebookDim.Length}" };

    /// <summary>Width of the latent frames: doubled at every stride unless the configuration says otherwise.</summary>
    public int LatentSize => HiddenSize ?? EncoderHiddenSize << DownsamplingRatios.Length;

    /// <summary>Strides of the decoder: those of the encoder, mirrored, unless the configuration says otherwise.</summary>
    public int[] DecoderRatios => UpsamplingRatios ?? [.. DownsamplingRatios.Reverse()];

    /// <summary>Samples of one frame.</summary>
    public int HopLength => DownsamplingRatios.Aggregate(1, (product, ratio) => product * ratio);

    /// <summary>From the keyword arguments that the authors' checkpoints carry.</summary>
    public static DacConfig FromMetadata(IReadOnlyDictionary<string, object?> metadata)
    {
        T Get<T>(string name, T otherwise) => metadata.TryGetValue(name, out var value) && value is not null ? (T)Convert.ChangeType(value, typeof(T)) : otherwise;
        int[] Some(string name, params int[] otherwise) => metadata.GetValueOrDefault(name) switch { null => otherwise, IEnumerable<object?> list => [.. list.Select(Convert.ToInt32)], var one => [Convert.ToInt32(one)] };
        return new()
        {
            SamplingRate = Get("sample_rate", 44100),
            EncoderHiddenSize = Get("encoder_dim", 64),
            DownsamplingRatios = Some("encoder_rates", 2, 4, 8, 8),
            HiddenSize = metadata.GetValueOrDefault("latent_dim") is { } latent ? Convert.ToInt32(latent) : null,
            DecoderHiddenSize = Get("decoder_dim", 1536),
            UpsamplingRatios = Some("decoder_rates", 8, 8, 4, 2),
            NCodebooks = Get("n_codebooks", 9),
            CodebookSize = Get("codebook_size", 1024),
            CodebookDim = Some("codebook_dim", 8),
        };
    }
}

/// <summary>Convolutions with periodic activations, and a residual quantizer that searches in a narrow space. Scopes are the authors'.</summary>
internal static class DacNetwork
{
    private static readonly int[] Dilations = [1, 3, 9];

    /// <summary>Samples to latent frames. x (B, 1, T) -> (B, D, T / hop).</summary>
    public static Value Encode(Scope model, Value x, DacConfig config)
    {
        var block = model["encoder.block"];
        x = model.Stage("encoder_conv0", block[0].FoldedConv(x, config.EncoderHiddenSize, kernel: 7, padding: 3));
        var next = 1;
        foreach (var stride in config.DownsamplingRatios)
        {
            x = SnakeStack.EncoderBlock(block[next++], x, stride, SnakeStack.Snake, Dilations);
            if (next == 2) model.Stage("encoder_block0", x);
        }

        return model.Stage("latent", block[next + 1].FoldedConv(SnakeStack.Snake(block[next], x), config.LatentSize, kernel: 3, padding: 1));
    }

    /// <summary>Codes of the first codebooks, what was searched with, and what the codes stand for.</summary>
    public static (Value Codes, Value Projected, Value Quantized) Quantize(Scope model, Value z, int codebooks, DacConfig config)
    {
        var (residual, quantized) = (z, default(Value));
        var (codes, projections) = (new Value[codebooks], new Value[codebooks]);
        for (var i = 0; i < codebooks; i++)
        {
            var quantizer = model["quantizer.quantizers"][i];
            projections[i] = FactorizedQuantizer.Project(quantizer, residual, config.CodebookWidth(i));
            codes[i] = FactorizedQuantizer.Nearest(quantizer, projections[i], config.CodebookSize);
            var part = FactorizedQuantizer.Lookup(quantizer, codes[i], config.CodebookSize, config.CodebookWidth(i), config.LatentSize);
            quantized = quantized is null ? part : quantized + part;
            residual -= part;
        }

        return (ValueShape.Stack(1, codes), ValueShape.Concat(1, projections), quantized!);
    }

    /// <summary>codes (B, Q, T) -> (B, D, T).</summary>
    public static Value Dequantize(Scope model, Value codes, DacConfig config) =>
        Enumerable.Range(0, codes.Shape[1].Int)
            .Select(i => FactorizedQuantizer.Lookup(model["quantizer.quantizers"][i], codes.At(1, i), config.CodebookSize, config.CodebookWidth(i), config.LatentSize))
            .Aggregate((sum, part) => sum + part);

    /// <summary>Latent frames to samples. z (B, D, T) -> (B, 1, samples).</summary>
    /// <param name="model">The scope of the codec.</param>
    /// <param name="z">Latent frames.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="exact">True for transposed convolutions that give exactly stride times as many samples, and no bound on the result: X-Codec's variant.</param>
    public static Value Decode(Scope model, Value z, DacConfig config, bool exact = false)
    {
        var block = model["decoder.model"];
        var width = config.DecoderHiddenSize;
        var x = model.Stage("decoder_conv0", block[0].FoldedConv(z, width, kernel: 7, padding: 3));
        var next = 1;
        foreach (var stride in config.DecoderRatios)
        {
            x = SnakeStack.DecoderBlock(block[next++], x, width /= 2, stride, SnakeStack.Snake, Dilations, outputPadding: exact);
            if (next == 2) model.Stage("decoder_block0", x);
        }

        x = block[next + 1].FoldedConv(SnakeStack.Snake(block[next], x), 1, kernel: 7, padding: 3);
        return exact ? x : x.Tanh();
    }
}

/// <summary>The Descript codec.</summary>
public sealed class DacModel : CodecModel
{
    private readonly DacConfig _config;
    private readonly NetworkCache<int> _encoders, _decoders;
    private readonly Network _synthesis;

    private DacModel(string id, DacConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(id, new(config.SamplingRate, config.HopLength, config.NCodebooks, config.CodebookSize), checkpoint)
    {
        _config = config;
        _encoders = new(codebooks => Network.Build(context, "dac encoder", scope => Encoder(scope, codebooks, config)));
        _decoders = new(codebooks => Network.Build(context, "dac decoder", scope => Decoder(scope, codebooks, config)));
        _synthesis = Network.Build(context, "dac synthesis", scope => Synthesis(scope, config));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/dac",
            Paper = "High-Fidelity Audio Compression with Improved RVQGAN",
            ArXiv = "2306.06546",
            Authors = ["Rithesh Kumar", "Prem Seetharaman", "Alejandro Luebs", "Ishaan Kumar", "Kundan Kumar"],
            Repository = "descriptinc/descript-audio-codec",
            CodeLicense = "MIT",
            WeightsLicense = "MIT",
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tokens, Modality.Audio],
            Layouts = ["descript: weights.pth", "transformers: config.json + model.safetensors"],
            Sizes = [new("descript/dac_16khz", 74_141_697, []), new("descript/dac_24khz", 74_653_857, []), new("descript/dac_44khz", 76_620_777, [])],
        },
        OpenAsync);

    /// <summary>Every tensor of a configuration, weight norm folded, without any weights.</summary>
    internal static IReadOnlyList<string> Inventory(DacConfig config) => Network.Inventory(scope =>
    {
        Encoder(scope, config.NCodebooks, config);
        Synthesis(scope, config);
    });

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [.. _encoders.Built, .. _decoders.Built, _synthesis];

    /// <summary>The names of transformers' modules under those of the authors' sequentials.</summary>
    internal static KeyMap TransformersKeys(int blocks)
    {
        var rules = new List<(string, string?)>();
        for (var i = blocks - 1; i >= 0; i--)
        {
            for (var unit = 0; unit < 3; unit++)
            {
                rules.Add(($@"^encoder\.block\.{i}\.res_unit{unit + 1}\.", $"encoder.block.{i + 1}.block.{unit}.unit."));
                rules.Add(($@"^decoder\.block\.{i}\.res_unit{unit + 1}\.", $"decoder.model.{i + 1}.block.{unit + 2}.unit."));
            }

            rules.Add(($@"^encoder\.block\.{i}\.snake1\.", $"encoder.block.{i + 1}.block.3."));
            rules.Add(($@"^encoder\.block\.{i}\.conv1\.", $"encoder.block.{i + 1}.block.4."));
            rules.Add(($@"^decoder\.block\.{i}\.snake1\.", $"decoder.model.{i + 1}.block.0."));
            rules.Add(($@"^decoder\.block\.{i}\.conv_t1\.", $"decoder.model.{i + 1}.block.1."));
        }

        foreach (var (name, place) in new[] { ("snake1", 0), ("conv1", 1), ("snake2", 2), ("conv2", 3) }) rules.Add(($@"\.unit\.{name}\.", $".block.{place}."));
        foreach (var (side, sequential) in new[] { ("encoder", "block"), ("decoder", "model") })
        {
            rules.Add(($@"^{side}\.conv1\.", $"{side}.{sequential}.0."));
            rules.Add(($@"^{side}\.snake1\.", $"{side}.{sequential}.{blocks + 1}."));
            rules.Add(($@"^{side}\.conv2\.", $"{side}.{sequential}.{blocks + 2}."));
        }

        return new([.. rules]);
    }

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                var input = arguments.Tensor<float>("input_values");
                if (arguments.Literal("pad_to_hop", false)) input = input.PadTo(_config.HopLength);
                return (await _encoders[Math.Min(arguments.Literal("n_quantizers", _config.NCodebooks), _config.NCodebooks)].RunAsync(cancel, ("samples", input)).ConfigureAwait(false)).ToResults();
            case "decode" when arguments.Has("audio_codes"):
                var codes = arguments.Tensor<long>("audio_codes");
                return Squeezed((await _decoders[(int)codes.Shape[1]].RunAsync(cancel, ("codes", codes)).ConfigureAwait(false)).ToResults());
            case "decode":
                return Squeezed((await _synthesis.RunAsync(cancel, ("quantized", arguments.Tensor("quantized_representation"))).ConfigureAwait(false)).ToResults());
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"DAC has no call '{call}'.") { Expected = "encode, decode" };
        }
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<int>> EncodeAsync(Tensor<float> samples, int codebooks, CancellationToken cancel) =>
        (await _encoders[codebooks].RunAsync(cancel, ("samples", samples.PadTo(_config.HopLength))).ConfigureAwait(false)).Get<long>("codes").ToTokens();

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel) =>
        (await _decoders[(int)codes.Shape[0]].RunAsync(cancel, ("codes", codes.ToCodes())).ConfigureAwait(false))["reconstruction"];

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var transformers = File.Exists(Path.Combine(folder, "config.json"));
        var checkpoint = transformers || source.Parts.Count > 0 ? source.OpenCheckpoint() : Checkpoint.Open(folder, "state_dict");
        var config = transformers ? PublishedConfig.Read<DacConfig>(folder).Value : DacConfig.FromMetadata(Checkpoint.Open(checkpoint.Files[0], "metadata.kwargs").Values);
        var weights = transformers ? TransformersKeys(config.DownsamplingRatios.Length).Apply(checkpoint) : KeyMap.WeightNorm.Apply(checkpoint);
        return ValueTask.FromResult<IModel>(new DacModel(source.Id.ToString(), config, checkpoint, NetworkContext.Of(source, weights)));
    }

    private static void Encoder(Scope scope, int codebooks, DacConfig config)
    {
        var x = scope.Graph.Input("samples", [Dim.Symbol("batch"), 1, Dim.Symbol("samples")]);
        var (codes, projected, quantized) = DacNetwork.Quantize(scope, DacNetwork.Encode(scope, x, config), codebooks, config);
        scope.Stage("projected_latents", projected);
        scope.Graph.Output("codes", codes);
        scope.Stage("quantized", quantized);
    }

    private static void Decoder(Scope scope, int codebooks, DacConfig config)
    {
        var codes = scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), codebooks, Dim.Symbol("frames")]);
        scope.Graph.Output("reconstruction", DacNetwork.Decode(scope, DacNetwork.Dequantize(scope, codes, config), config));
    }

    private static void Synthesis(Scope scope, DacConfig config)
    {
        var quantized = scope.Graph.Input("quantized", [Dim.Symbol("batch"), config.LatentSize, Dim.Symbol("frames")]);
        scope.Graph.Output("reconstruction", DacNetwork.Decode(scope, quantized, config));
    }

    // The reference gives (B, samples).
    private static CallResults Squeezed(CallResults results)
    {
        var squeezed = new CallResults();
        foreach (var (name, value) in results.Values)
        {
            var tensor = (Tensor)value;
            squeezed.Add(name, name == "reconstruction" ? tensor.Reshape(tensor.Shape[0], tensor.Shape[2]) : tensor);
        }

        return squeezed;
    }
}
