// WavTokenizer: an Efficient Acoustic Discrete Codec Tokenizer for Audio Language Modeling. Ji et al. arXiv:2408.16532. github.com/jishengpeng/WavTokenizer
// Published layout: Lightning .ckpt (state_dict) + the run's yaml. Deviations: none; discriminators and the unused EnCodec decoder of the checkpoint are not read.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>The front end's published settings.</summary>
public sealed record WavTokenizerFeaturesConfig
{
    [Length(1, 16)] public int[] Dowmsamples { get; init; } = [8, 5, 4, 2];                          // spelled as published
    [Range(2, 1 << 20)] public int VqBins { get; init; } = 4096;
}

/// <summary>The run's published settings, beside those of the parts.</summary>
public sealed record WavTokenizerConfig
{
    [Range(1, 768000)] public int SampleRate { get; init; } = 24000;
}

/// <summary>A SEANet encoder and one codebook; a Vocos decoder with convolutions and attention before its blocks (section 3).</summary>
internal static class WavTokenizerNetwork
{
    // Constants of the authors' code.
    private const int Groups = 32;
    private const double Epsilon = 1e-6;

    /// <summary>The checkpoint's names without the wrapper around EnCodec; without what the model does not use.</summary>
    public static readonly KeyMap Keys = new KeyMap((@"^feature_extractor\.encodec\.", ""), (@"^decoder\.", null)).Then(SeaNet.AuthorsKeys);

    /// <summary>features (B, C, T) to samples (B, ..).</summary>
    public static Value Decode(Scope model, Value features, Value bandwidth, VocosBackboneConfig backbone, IstftHeadConfig head) =>
        VocosBackbone.Head(model["head"], VocosBackbone.Build(model["backbone"], features, backbone, bandwidth, PosNet), head);

    private static Value PosNet(Scope backbone, Value x)
    {
        var net = backbone["pos_net"];
        x = backbone.Stage("resnet_0", Resnet(net[0], x));
        x = backbone.Stage("attention", Attention(net[2], Resnet(net[1], x)));
        x = Resnet(net[4], Resnet(net[3], x));
        return backbone.Stage("pos_net", net[5].GroupNorm(x, Groups, Epsilon));
    }

    private static Value Resnet(Scope block, Value x)
    {
        var width = x.Shape[1].Size;
        var h = block["conv1"].Conv(block["norm1"].GroupNorm(x, Groups, Epsilon).Silu(), width, kernel: 3, padding: 1);
        return x + block["conv2"].Conv(block["norm2"].GroupNorm(h, Groups, Epsilon).Silu(), width, kernel: 3, padding: 1);
    }

    private static Value Attention(Scope block, Value x)
    {
        var (width, h) = (x.Shape[1].Size, block["norm"].GroupNorm(x, Groups, Epsilon));
        Value Map(string name) => block[name].Conv(h, width, kernel: 1).Swap(1, 2);                      // (B, T, C)
        return x + block["proj_out"].Conv(AttentionLayers.Attention(Map("q"), Map("k"), Map("v"), new() { Heads = 1 }).Swap(1, 2), width, kernel: 1);
    }
}

/// <summary>The codec of one codebook.</summary>
public sealed class WavTokenizerModel : CodecModel
{
    private readonly SeaNetSpec _encoderSpec;
    private readonly NetworkCache<int> _encoders;
    private readonly Network _lookup, _decoder;

    private WavTokenizerModel(string id, int sampleRate, WavTokenizerFeaturesConfig features, VocosBackboneConfig backbone, IstftHeadConfig head, Checkpoint checkpoint, NetworkContext context)
        : base(id, new(sampleRate, features.Dowmsamples.Aggregate(1, (product, ratio) => product * ratio), 1, features.VqBins), checkpoint)
    {
        // The authors' code fixes the encoder but for its width, which the weights tell.
        _encoderSpec = EncoderSpec(features, backbone, context.Weights.Find("encoder.layers.0.conv.weight_v")?.Shape[0] ?? 32);
        _encoders = new(samples => Network.Build(context, "wavtokenizer encoder", scope => Encoder(scope, samples, _encoderSpec, features)));
        _lookup = Network.Build(context, "wavtokenizer codebook", scope => scope.Graph.Output("features", Lookup(scope, scope.Graph.Input("codes", ElementType.Int64, [1, Dim.Symbol("batch"), Dim.Symbol("frames")]).At(0, 0), features, backbone.InputChannels)));
        _decoder = Network.Build(context, "wavtokenizer decoder", scope => Decoder(scope, backbone, head));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/wavtokenizer",
            Paper = "WavTokenizer: an Efficient Acoustic Discrete Codec Tokenizer for Audio Language Modeling",
            ArXiv = "2408.16532",
            Authors = ["Shengpeng Ji", "Ziyue Jiang", "Wen Wang", "Yifu Chen", "Minghui Fang", "Jialong Zuo", "Qian Yang", "Xize Cheng", "Zehan Wang", "Ruiqi Li", "Ziang Zhang", "Xiaoda Yang", "Rongjie Huang", "Yidi Jiang", "Qian Chen", "Siqi Zheng", "Zhou Zhao"],
            Repository = "jishengpeng/WavTokenizer",
            CodeLicense = "MIT",
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tokens, Modality.Audio],
            Layouts = ["authors: NAME.ckpt + NAME.yaml"],
            Sizes = [new("novateur/WavTokenizer: 320-24k-4096", 73_847_298, []), new("novateur/WavTokenizer: 600-24k-4096", 74_208_866, [])],
        },
        OpenAsync);

    internal static IReadOnlyList<string> Inventory(WavTokenizerFeaturesConfig features, VocosBackboneConfig backbone, IstftHeadConfig head) => Network.Inventory(scope =>
    {
        Encoder(scope, samples: 0, EncoderSpec(features, backbone, filters: 32), features);
        Decoder(scope, backbone, head);
    });

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [.. _encoders.Built, _lookup, _decoder];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode_infer":
                // The bandwidth chooses the decoder's norm; one codebook is encoded the same for all.
                _ = arguments.Has("bandwidth_id");
                return (await EncodeAsync(arguments.Tensor<float>("audio"), cancel).ConfigureAwait(false)).ToResults();
            case "codes_to_features":
                return (await _lookup.RunAsync(cancel, ("codes", arguments.Tensor("codes"))).ConfigureAwait(false)).ToResults();
            case "decode":
                return (await _decoder.RunAsync(cancel, ("features", arguments.Tensor("features")), ("bandwidth_id", arguments.Tensor("bandwidth_id"))).ConfigureAwait(false)).ToResults();
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"WavTokenizer has no call '{call}'.") { Expected = "encode_infer, codes_to_features, decode" };
        }
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<int>> EncodeAsync(Tensor<float> samples, int codebooks, CancellationToken cancel) =>
        (await EncodeAsync(samples.Reshape(1, samples.Length), cancel).ConfigureAwait(false)).Get<long>("codes").ToTokensByCodebook();

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel)
    {
        var features = await _lookup.RunAsync(cancel, ("codes", codes.ToCodes())).ConfigureAwait(false);
        return (await _decoder.RunAsync(cancel, ("features", features["features"]), ("bandwidth_id", Tensor.Create([0L], 1))).ConfigureAwait(false))["reconstruction"];
    }

    private Task<NetworkOutputs> EncodeAsync(Tensor<float> audio, CancellationToken cancel)
    {
        var length = (int)audio.Shape[1];
        return _encoders[length <= _encoderSpec.ShortFrames * _encoderSpec.HopLength ? length : 0].RunAsync(cancel, ("audio", audio));
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var file = Directory.EnumerateFiles(folder, "*.yaml").Order(StringComparer.Ordinal).FirstOrDefault()
            ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "The folder has no configuration.") { Where = folder, Expected = "NAME.yaml" };
        const string Run = "model.init_args";
        var checkpoint = source.Parts.Count > 0 ? source.OpenCheckpoint() : Checkpoint.Open(folder, "state_dict");
        return ValueTask.FromResult<IModel>(new WavTokenizerModel(
            source.Id.ToString(),
            PublishedConfig.Read<WavTokenizerConfig>(file, Run).Value.SampleRate,
            PublishedConfig.Read<WavTokenizerFeaturesConfig>(file, $"{Run}.feature_extractor.init_args").Value,
            PublishedConfig.Read<VocosBackboneConfig>(file, $"{Run}.backbone.init_args").Value,
            IstftHeadConfig.Read(file, $"{Run}.head"),
            checkpoint,
            NetworkContext.Of(source, KeyMap.WeightNorm.Then(WavTokenizerNetwork.Keys).Apply(checkpoint))));
    }

    private static SeaNetSpec EncoderSpec(WavTokenizerFeaturesConfig features, VocosBackboneConfig backbone, long filters) =>
        new() { Dimension = backbone.InputChannels, Filters = (int)filters, Ratios = features.Dowmsamples, LstmLayers = 2 };

    // Zero stands for any length that is long enough.
    private static void Encoder(Scope scope, int samples, SeaNetSpec spec, WavTokenizerFeaturesConfig features)
    {
        var audio = scope.Graph.Input("audio", [Dim.Symbol("batch"), samples == 0 ? Dim.Symbol("samples") : samples]);
        var latent = scope.Stage("latent", SeaNet.Encode(scope["encoder"], audio.Unsqueeze(1), spec));
        var codes = EuclideanQuantizer.Quantize(latent, [Codes(scope, features, spec.Dimension)])[0];                               // (B, T)
        scope.Graph.Output("codes", codes.Unsqueeze(0));
        scope.Graph.Output("features", Lookup(scope, codes, features, spec.Dimension));
    }

    private static void Decoder(Scope scope, VocosBackboneConfig backbone, IstftHeadConfig head)
    {
        var input = scope.Graph.Input("features", [Dim.Symbol("batch"), backbone.InputChannels, Dim.Symbol("frames")]);
        scope.Graph.Output("reconstruction", WavTokenizerNetwork.Decode(scope, input, scope.Graph.Input("bandwidth_id", ElementType.Int64, [1]), backbone, head));
    }

    private static Value Lookup(Scope scope, Value codes, WavTokenizerFeaturesConfig features, int width) => Codes(scope, features, width).Rows.Gather(codes).Swap(1, 2);

    private static Codebook Codes(Scope scope, WavTokenizerFeaturesConfig features, int width) => Codebook.Stored(scope["quantizer.layers.0.codebook"], features.VqBins, width);
}
