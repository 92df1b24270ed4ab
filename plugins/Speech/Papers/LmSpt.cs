// LM-SPT: LM-Aligned Semantic Distillation for Speech Tokenization. Jo, Yun, Roh, Kim. arXiv:2506.16738. No public code: the specification beside the parity cases says what is computed.
// Layout: config.json with Mimi's fields + model.safetensors, prefixes semantic_, acoustic_ and those of Mimi's decoder. Deviations: none from the specification.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>Two of Mimi's encoders side by side, one for what is said and one for how it sounds, and Mimi's decoder.</summary>
internal static class LmSptNetwork
{
    /// <summary>The configuration as Mimi's parts read it: two frames of the convolutions for each frame of codes.</summary>
    public static MimiConfig Sizes(MimiConfig config) => config with { FrameRate = Math.Ceiling((double)config.SamplingRate / config.SeaNet.HopLength) / 2 };

    /// <summary>x (B, 1, samples) -> codes (B, T) of every codebook, the semantic one first. The acoustic quantizer does not see what the semantic one left over.</summary>
    public static Value[] Encode(Scope model, Value x, MimiConfig config) =>
        [.. Branch(model, "semantic", x, config.NumSemanticQuantizers, config), .. Branch(model, "acoustic", x, config.NumQuantizers - config.NumSemanticQuantizers, config)];

    /// <summary>codes (B, Q, T) -> samples (B, 1, samples); the semantic codes alone will do.</summary>
    /// <param name="model">The scope of the codec.</param>
    /// <param name="codes">Codes, the semantic ones first.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="suffix">What follows the stages' names.</param>
    public static Value Decode(Scope model, Value codes, MimiConfig config, string suffix)
    {
        var (count, semantic) = (codes.Shape[1].Int, config.NumSemanticQuantizers);
        var h = MimiNetwork.Dequantize(model["semantic_quantizer"], codes, 0, semantic, config);
        if (count > semantic) h += MimiNetwork.Dequantize(model["acoustic_quantizer"], codes, semantic, count - semantic, config);
        h = MimiNetwork.Upsample(model["upsample"], model.Stage($"quantized{suffix}", h), config);
        var states = MimiNetwork.Transformer(model["decoder_transformer"], h.Swap(1, 2), config);          // (B, T, D)
        model.Stage($"decoder_states{suffix}", states.Swap(1, 2));
        return SeaNet.Decode(model["decoder"], states.Swap(1, 2), config.SeaNet);
    }

    private static Value[] Branch(Scope model, string name, Value x, int codebooks, MimiConfig config)
    {
        if (codebooks == 0) return [];
        var h = model.Stage($"{name}_encoder", SeaNet.Encode(model[$"{name}_encoder"], x, config.SeaNet));
        h = MimiNetwork.Transformer(model[$"{name}_transformer"], h.Swap(1, 2), config).Swap(1, 2);
        h = model.Stage($"{name}_latent", MimiNetwork.Downsample(model[$"{name}_downsample"], h, config));
        return MimiNetwork.Quantize(model[$"{name}_quantizer"], h, codebooks, config);
    }
}

/// <summary>A codec whose first codebook is made for language models; it alone gives speech back.</summary>
public sealed class LmSptModel : CodecModel
{
    private readonly MimiConfig _config;
    private readonly Network _encoder;
    private readonly NetworkCache<(int Codebooks, bool Semantic)> _decoders;

    private LmSptModel(string id, MimiConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(id, new(config.SamplingRate, config.HopLength, config.NumQuantizers, config.CodebookSize), checkpoint)
    {
        _config = config;
        _encoder = Network.Build(context, "lm-spt encoder", scope =>
        {
            var x = scope.Graph.Input("audio", [Dim.Symbol("batch"), config.AudioChannels, Dim.Symbol("samples")]);
            scope.Graph.Output("codes", ValueShape.Stack(1, LmSptNetwork.Encode(scope, x, config)));
        });
        _decoders = new(key => Network.Build(context, "lm-spt decoder", scope =>
        {
            var (codes, suffix) = (scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), key.Codebooks, Dim.Symbol("frames")]), key.Semantic ? "_semantic" : "");
            scope.Graph.Output($"audio{suffix}", LmSptNetwork.Decode(scope, codes, config, suffix));
        }));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/lm-spt",
            Paper = "LM-SPT: LM-Aligned Semantic Distillation for Speech Tokenization",
            ArXiv = "2506.16738",
            Authors = ["Daejin Jo", "Jeeyoung Yun", "Byungseok Roh", "Sungwoong Kim"],
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tokens, Modality.Audio],
            Layouts = ["config.json + model.safetensors"],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_encoder, .. _decoders.Built];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (call == "encode") return (await _encoder.RunAsync(cancel, ("audio", arguments.Tensor("audio"))).ConfigureAwait(false)).ToResults();
        if (call is not ("decode" or "decode_semantic")) throw new ModelZooException(ErrorCodes.VerbUnsupported, $"LM-SPT has no call '{call}'.") { Expected = "encode, decode, decode_semantic" };
        var (codes, semantic) = (arguments.Tensor<long>("codes"), call == "decode_semantic");
        if (semantic) codes = codes.TakeRows(_config.NumSemanticQuantizers);
        return (await _decoders[((int)codes.Shape[1], semantic)].RunAsync(cancel, ("codes", codes)).ConfigureAwait(false)).ToResults();
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<int>> EncodeAsync(Tensor<float> samples, int codebooks, CancellationToken cancel) =>
        (await _encoder.RunAsync(cancel, ("audio", samples)).ConfigureAwait(false)).Get<long>("codes").TakeRows(codebooks).ToTokens();

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel) =>
        (await _decoders[((int)codes.Shape[0], false)].RunAsync(cancel, ("codes", codes.ToCodes())).ConfigureAwait(false))["audio"];

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = LmSptNetwork.Sizes(PublishedConfig.Read<MimiConfig>(source.RequireFolder()).Value);
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new LmSptModel(source.Id.ToString(), config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }
}
