using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>What MoMask and BAMM do the same: a residual tokenizer, and a transformer that fills the layers after the first.</summary>
public abstract class ResidualMotionModel : MotionModel
{
    private readonly Network _encoder, _decoder, _residual, _embedding;

    private protected ResidualMotionModel(ModelSource source, ResidualMotionConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(source, checkpoint, new(config.Tokenizer.DimPose, config.Tokenizer.Unit, [.. Enumerable.Repeat(config.Tokenizer.NbCode, config.Tokenizer.NumQuantizers)], TokenLayout.Frames))
    {
        Config = config;
        _encoder = Network.Build(context, "residual encoder", scope => Encoder(scope, config), independentRows: true);
        _decoder = Network.Build(context, "residual decoder", scope => Decoder(scope, config), independentRows: true);
        _residual = Network.Build(context, "residual transformer", scope => Residual(scope, config));
        _embedding = Network.Build(context, "residual embedding", scope => Embedding(scope, config));
    }

    private protected ResidualMotionConfig Config { get; }

    /// <summary>The transformer over the first layer's tokens.</summary>
    protected abstract Network Base { get; }

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_encoder, _decoder, _residual, _embedding, Base];

    /// <summary>The tensors of all networks, for the approved inventory.</summary>
    private protected static IReadOnlyList<string> Inventory(ResidualMotionConfig config, Action<Scope, ResidualMotionConfig> transformer) =>
    [
        .. new[] { transformer, Encoder, Decoder, Residual, Embedding }.SelectMany(build => Network.Inventory(scope => build(scope, config))).Distinct().Order(StringComparer.Ordinal),
    ];

    /// <inheritdoc/>
    protected override async Task<Tensor<int>> EncodeAsync(Tensor<float> motion, CancellationToken cancel)
    {
        var codes = (await _encoder.RunAsync(cancel, ("motion", motion)).ConfigureAwait(false)).Get<long>("codes");
        return codes.Slice(0).Transposed().ToTokens();
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel) =>
        (await DecodeCodesAsync(codes.ToCodes().Slice(0).Transposed(), cancel).ConfigureAwait(false))["reconstruction"];

    /// <summary>The calls on what both papers have; null when the call is another.</summary>
    private protected async ValueTask<CallResults?> CallSharedAsync(string call, CallArguments arguments, CancellationToken cancel)
    {
        switch (call)
        {
            case "encode":
                return (await _encoder.RunAsync(cancel, ("motion", arguments.Tensor("motion"))).ConfigureAwait(false)).ToResults();
            case "forward":
                return (await DecodeCodesAsync((await _encoder.RunAsync(cancel, ("motion", arguments.Tensor("motion"))).ConfigureAwait(false)).Get<long>("codes"), cancel).ConfigureAwait(false)).ToResults();
            case "decode" or "motion":
                var decoded = await DecodeCodesAsync(arguments.Tensor<long>("codes"), cancel).ConfigureAwait(false);
                return new CallResults().AddRange(decoded.ToResults()).Add("decoded", decoded["reconstruction"]).Add("motion", decoded["reconstruction"]);
            case "residual":
                var (tokens, stages) = await FillAsync(arguments.Tensor<long>("base_tokens"), arguments.Tensor<float>("text_embedding"), arguments.Tensor("lengths").ToNumbers(), new(arguments, 2), arguments.Literal("num_res_layers", -1), cancel).ConfigureAwait(false);
                return new CallResults().AddRange(stages).Add("all_tokens", tokens);
            case "residual_logits":
                var history = arguments.Tensor<float>("codes_sum");
                var keys = Padding(arguments.Tensor("lengths").ToNumbers(), (int)history.Shape[1], heading: 2);
                var (logits, _) = await GuidedResidualAsync(history, arguments.Literal<int>("layer"), arguments.Tensor<float>("text_embedding"), keys, new(arguments, 3), cancel).ConfigureAwait(false);
                return new CallResults().Add("residual_logits", logits);
            default:
                return null;
        }
    }

    /// <summary>The other layers, one after the other. first (B, N), with anything beyond the lengths -> (B, N, layers), -1 beyond.</summary>
    private protected async Task<(Tensor<long> Tokens, CallResults Stages)> FillAsync(Tensor<long> first, Tensor<float> sentence, int[] lengths, LayerSampling sampling, int layers, CancellationToken cancel)
    {
        var (rows, slots, pad) = ((int)first.Shape[0], (int)first.Shape[1], (long)Config.Tokenizer.NbCode);
        var keys = Padding(lengths, slots, heading: 2);
        bool Beyond(int place) => place % slots >= lengths[place / slots];
        var ids = Tensor.Create(first.Span.ToArray().Select((id, place) => Beyond(place) ? pad : id).ToArray(), rows, slots);
        var all = new List<Tensor<long>> { ids };
        var history = Tensor.Zeros<float>(rows, slots, Config.Tokenizer.CodeDim);
        var stages = new CallResults();
        for (var layer = 1; layer < (layers < 0 ? Config.Tokenizer.NumQuantizers : layers + 1); layer++)
        {
            var codes = (await _embedding.RunAsync(cancel, ("ids", ids), ("layer", Tensor.Scalar((long)layer - 1))).ConfigureAwait(false))["codes"];
            System.Numerics.Tensors.TensorPrimitives.Add(history.Span, codes.Span, history.Span);
            var (logits, seen) = await GuidedResidualAsync(history, layer, sentence, keys, sampling, cancel).ConfigureAwait(false);
            if (layer == 1) stages = seen;
            var (chosen, _) = sampling.Choose(logits);
            ids = Tensor.Create(chosen.Select((id, place) => Beyond(place) ? pad : id).ToArray(), rows, slots);
            all.Add(ids);
        }

        return (Tensor.Create(Enumerable.Range(0, rows * slots).SelectMany(place => all.Select(layer => layer.Span[place] == pad ? -1 : layer.Span[place])).ToArray(), rows, slots, all.Count), stages);
    }

    /// <summary>Tokens of one motion (1, N, layers) as a motion.</summary>
    private protected async Task<Contracts.Motion> ToMotionAsync(Tensor<long> tokens, CancellationToken cancel) =>
        ToMotion((await DecodeCodesAsync(tokens, cancel).ConfigureAwait(false))["reconstruction"], int.MaxValue);

    /// <summary>Zeros for the heading and places within the lengths, the mask's score for those beyond. (B, 1, 1, heading + slots)</summary>
    private protected static Tensor<float> Padding(int[] lengths, int slots, int heading) =>
        Tensor.Create(lengths.SelectMany(length => Enumerable.Range(0, heading + slots).Select(i => i < heading + length ? 0 : AttentionLayers.Masked)).ToArray(), lengths.Length, 1, 1, heading + slots);

    /// <summary>What both papers guide with: unconditional scores + (conditional - unconditional) scale.</summary>
    internal static Tensor<float> Guide(Tensor<float> conditional, Tensor<float> unconditional, float scale)
    {
        var result = Tensor.Zeros<float>(conditional.Shape);
        for (var i = 0; i < result.Length; i++) result.Span[i] = unconditional.Span[i] + (conditional.Span[i] - unconditional.Span[i]) * scale;
        return result;
    }

    private async Task<(Tensor<float> Logits, CallResults Stages)> GuidedResidualAsync(Tensor<float> history, int layer, Tensor<float> sentence, Tensor<float> keys, LayerSampling sampling, CancellationToken cancel)
    {
        var oneHot = Tensor.Zeros<float>(history.Shape[0], Config.Tokenizer.NumQuantizers);
        for (var row = 0; row < history.Shape[0]; row++) oneHot[row, layer] = 1;
        Task<NetworkOutputs> Run(Tensor<float> text) => _residual.RunAsync(cancel, ("history", history), ("one_hot", oneHot), ("layer", Tensor.Scalar((long)layer - 1)), ("sentence", text), ("bias", keys));
        var silent = Tensor.Zeros<float>(sentence.Shape);
        var conditional = await Run(sampling.Unconditional ? silent : sentence).ConfigureAwait(false);
        if (sampling.Unconditional || sampling.Scale == 1) return (conditional["logits"], conditional.ToResults());
        return (Guide(conditional["logits"], (await Run(silent).ConfigureAwait(false))["logits"], sampling.Scale), conditional.ToResults());
    }

    private Task<NetworkOutputs> DecodeCodesAsync(Tensor<long> codes, CancellationToken cancel)
    {
        var (given, layers) = ((int)codes.Shape[2], Config.Tokenizer.NumQuantizers);
        var padded = Tensor.Create(Enumerable.Range(0, codes.Length / given * layers).Select(i => i % layers < given ? codes.Span[i / layers * given + i % layers] : -1).ToArray(), codes.Shape[0], codes.Shape[1], layers);
        return _decoder.RunAsync(cancel, ("codes", padded));
    }

    private static void Encoder(Scope scope, ResidualMotionConfig config)
    {
        var motion = scope.Graph.Input("motion", [Dim.Symbol("batch"), Dim.Symbol("frames"), config.Tokenizer.DimPose]);
        scope.Graph.Output("codes", MoMaskNetwork.Encode(scope["vq"], motion, config.Tokenizer));
    }

    private static void Decoder(Scope scope, ResidualMotionConfig config)
    {
        var codes = scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("tokens"), config.Tokenizer.NumQuantizers]);
        scope.Graph.Output("reconstruction", MoMaskNetwork.Decode(scope["vq"], codes, config.Tokenizer));
    }

    private static void Residual(Scope scope, ResidualMotionConfig config)
    {
        Dim batch = Dim.Symbol("batch"), count = Dim.Symbol("tokens");
        var g = scope.Graph;
        var history = g.Input("history", [batch, count, config.Tokenizer.CodeDim]);
        var oneHot = g.Input("one_hot", [batch, config.Tokenizer.NumQuantizers]);
        var layer = g.Input("layer", ElementType.Int64, []);
        var sentence = g.Input("sentence", [batch, ResidualMotionConfig.ClipDim]);
        var bias = g.Input("bias", [batch, 1, 1, count + 2]);
        g.Output("logits", MoMaskNetwork.Residual(scope["res"], history, oneHot, layer, sentence, bias, config.Tokenizer, config.Residual));
    }

    private static void Embedding(Scope scope, ResidualMotionConfig config)
    {
        var ids = scope.Graph.Input("ids", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("tokens")]);
        scope.Graph.Output("codes", MoMaskNetwork.ResidualEmbedding(scope["res"], ids, scope.Graph.Input("layer", ElementType.Int64, []), config.Tokenizer, config.Residual));
    }
}
