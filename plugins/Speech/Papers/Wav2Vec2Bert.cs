// Seamless: Multilingual Expressive and Streaming Speech Translation (its encoder, w2v-BERT 2.0). Seamless Communication et al. arXiv:2312.05187. github.com/facebookresearch/seamless_communication
// Published layout: transformers Wav2Vec2BertModel (config.json + model.safetensors). Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Plugins.Speech;

/// <summary>The published configuration; defaults are those of facebook/w2v-bert-2.0.</summary>
public sealed record Wav2Vec2BertConfig
{
    [Range(1, 65536)] public int HiddenSize { get; init; } = 1024;
    [Range(0, 1024)] public int NumHiddenLayers { get; init; } = 24;
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 16;
    [Range(1, 1 << 20)] public int IntermediateSize { get; init; } = 4096;
    [Range(1, 65536)] public int FeatureProjectionInputDim { get; init; } = 160;
    public string HiddenAct { get; init; } = "swish";
    public double LayerNormEps { get; init; } = 1e-5;
    [Range(1, 4095)] public int ConvDepthwiseKernelSize { get; init; } = 31;
    [AllowedValues("relative_key", "relative", "rotary", null)] public string? PositionEmbeddingsType { get; init; } = "relative_key";
    [Range(0, 1 << 20)] public int LeftMaxPositionEmbeddings { get; init; } = 64;
    [Range(0, 1 << 20)] public int RightMaxPositionEmbeddings { get; init; } = 8;
    public double RotaryEmbeddingBase { get; init; } = 10000;
    public bool UseIntermediateFfnBeforeAdapter { get; init; }
    public bool AddAdapter { get; init; }
    public string AdapterAct { get; init; } = "relu";
    [Range(1, 64)] public int AdapterKernelSize { get; init; } = 3;
    [Range(1, 64)] public int AdapterStride { get; init; } = 2;
    [Range(1, 64)] public int NumAdapterLayers { get; init; } = 1;
    [Range(1, 65536)] public int? OutputHiddenSize { get; init; }

    /// <summary>Width of the adapter.</summary>
    internal int AdapterWidth => OutputHiddenSize ?? HiddenSize;
}

/// <summary>Conformer blocks (Gulati et al., arXiv:2005.08100) whose convolution never looks ahead.</summary>
internal static class Wav2Vec2BertNetwork
{
    /// <summary>Names of models with a head carry a prefix.</summary>
    public static readonly KeyMap Keys = new((@"^wav2vec2_bert\.", ""));

    /// <summary>x (B, T, features), frames to use (B, T) int64 or null -> (B, T', D).</summary>
    public static Value Build(Scope model, Value x, Value? frames, Wav2Vec2BertConfig config)
    {
        var projection = model["feature_projection"];
        var h = model.Stage("projected", projection["projection"].Linear(projection["layer_norm"].LayerNorm(x, config.LayerNormEps), config.HiddenSize));
        var mask = frames?.Cast(ElementType.Float32).Unsqueeze(-1);                               // (B, T, 1)
        if (mask is not null) h *= mask;
        var positions = Positions(h, config);
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            h = Block(model["encoder.layers"][i], h, frames, mask, positions, config, i == 0 ? model.Stage : (_, value) => value);
            if (i == 0) model.Stage("block_0", h);
        }

        if (config.UseIntermediateFfnBeforeAdapter) h += 0.5 * model["intermediate_ffn"].Mlp(h, config.IntermediateSize, y => y.Relu(), "intermediate_dense", "output_dense");
        return config.AddAdapter ? Adapter(model["adapter"], h, frames, config) : h;
    }

    // Half a feed-forward layer, attention, convolution, half a feed-forward layer.
    private static Value Block(Scope layer, Value h, Value? frames, Value? mask, (Value, Value)? positions, Wav2Vec2BertConfig config, Func<string, Value, Value> stage)
    {
        Value Norm(string name, Value x) => layer[name].LayerNorm(x, config.LayerNormEps);
        Value FeedForward(string name, Value x) => layer[name].Mlp(x, config.IntermediateSize, Activations.Named(config.HiddenAct), "intermediate_dense", "output_dense");
        var bias = frames is null ? null : AttentionMasks.Padding(frames);
        h += 0.5 * stage("ffn1_0", FeedForward("ffn1", Norm("ffn1_layer_norm", h)));
        h += stage("attention_0", Attention(layer["self_attn"], Norm("self_attn_layer_norm", h), bias, positions, config.PositionEmbeddingsType, config));
        h += stage("conv_module_0", Convolution(layer["conv_module"], h, mask, config));
        h += 0.5 * FeedForward("ffn2", Norm("ffn2_layer_norm", h));
        return Norm("final_layer_norm", h);
    }

    private static Value Convolution(Scope conv, Value h, Value? mask, Wav2Vec2BertConfig config)
    {
        var x = conv["layer_norm"].LayerNorm(h, config.LayerNormEps);
        if (mask is not null) x *= mask;
        x = Glu(conv["pointwise_conv1"].Conv(x.Swap(1, 2), 2 * config.HiddenSize, kernel: 1, bias: false));
        x = conv["depthwise_conv"].CausalConv(x, config.HiddenSize, config.ConvDepthwiseKernelSize, groups: config.HiddenSize, bias: false);
        x = Activations.Named(config.HiddenAct)(conv["depthwise_layer_norm"].LayerNorm(x.Swap(1, 2), config.LayerNormEps));
        return conv["pointwise_conv2"].Conv(x.Swap(1, 2), config.HiddenSize, kernel: 1, bias: false).Swap(1, 2);
    }

    private static Value Glu(Value x)
    {
        var (value, gate) = x.Chunk2(1);
        return value * gate.Sigmoid();
    }

    private static Value Attention(Scope attention, Value x, Value? bias, (Value First, Value Second)? positions, string? kind, Wav2Vec2BertConfig config)
    {
        long heads = config.NumAttentionHeads, width = x.Shape[-1].Size, head = width / heads;
        // Rotary positions turn the input, not its maps.
        var turned = kind == "rotary" ? x.Rotary(heads, positions!.Value.First, positions.Value.Second) : x;
        var (q, k, v) = (attention["linear_q"].Linear(turned, width), attention["linear_k"].Linear(turned, width), attention["linear_v"].Linear(x, width));
        var distances = kind switch
        {
            "relative_key" => ByKey(attention, q, heads, config),
            "relative" => ByDistance(attention, q + attention.Weight("pos_bias_v", heads, head).Reshape(width), positions!.Value.First, heads),
            _ => null,
        };
        if (distances is not null) bias = bias is null ? distances / Math.Sqrt(head) : distances / Math.Sqrt(head) + bias;
        if (kind == "relative") q += attention.Weight("pos_bias_u", heads, head).Reshape(width);
        return attention["linear_out"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = heads, Bias = bias }), width);
    }

    // q . e[key - query], the distance kept within bounds -> (B, heads, T, T).
    private static Value ByKey(Scope attention, Value q, long heads, Wav2Vec2BertConfig config)
    {
        var (left, right, frames) = (config.LeftMaxPositionEmbeddings, config.RightMaxPositionEmbeddings, q.Shape[1]);
        var table = attention["distance_embedding"].Weight("weight", left + right + 1, q.Shape[-1].Size / heads);
        return Along(q.SplitHeads(heads).MatMul(table.Swap(0, 1)), (-AttentionMasks.Distance(q.Graph, frames, frames)).Clip(-left, right) + left);
    }

    // Transformer-XL (Dai et al., arXiv:1901.02860, 3.3): positions (2T - 1, D) run from T - 1 frames before to T - 1 after.
    private static Value ByDistance(Scope attention, Value q, Value positions, long heads)
    {
        var (frames, width) = (q.Shape[1], q.Shape[-1].Size);
        var keys = attention["linear_pos"].Linear(positions, width, bias: false).Unsqueeze(0).SplitHeads(heads);       // (1, heads, 2T - 1, W)
        return Along(q.SplitHeads(heads).MatMul(keys.Swap(2, 3)), q.Graph.Extent(frames - 1) - AttentionMasks.Distance(q.Graph, frames, frames));
    }

    // scores (B, heads, T, P) by an index (1, 1, T, T) into P.
    private static Value Along(Value scores, Value index) => scores.GatherElements(index.Expand(scores.Shape[0], scores.Shape[1], index.Shape[2], index.Shape[3]), 3);

    private static (Value, Value)? Positions(Value h, Wav2Vec2BertConfig config)
    {
        var (g, frames) = (h.Graph, h.Shape[1]);
        if (config.PositionEmbeddingsType == "rotary") return PositionLayers.RotaryAngles(g, frames, config.HiddenSize / config.NumAttentionHeads, config.RotaryEmbeddingBase);
        if (config.PositionEmbeddingsType != "relative") return null;
        var frequencies = new float[config.HiddenSize / 2];
        for (var i = 0; i < frequencies.Length; i++) frequencies[i] = MathF.Exp(2 * i * -(float)(Math.Log(10000) / config.HiddenSize));
        var places = g.Extent(frames - 1) - AttentionLayers.Range(g, frames * 2 - 1);
        var angles = places.Cast(ElementType.Float32).Reshape(-1, 1) * g.Constant<float>(frequencies, 1, frequencies.Length);
        var table = ValueShape.Stack(-1, angles.Sin(), angles.Cos()).Flatten(-2);                 // (2T - 1, D)
        return (table, table);
    }

    // Fewer frames: strided convolutions before attention and beside it.
    private static Value Adapter(Scope adapter, Value h, Value? frames, Wav2Vec2BertConfig config)
    {
        var (width, kernel, stride) = (config.AdapterWidth, config.AdapterKernelSize, config.AdapterStride);
        if (width != config.HiddenSize) h = adapter["proj_layer_norm"].LayerNorm(adapter["proj"].Linear(h, width), config.LayerNormEps);
        var lengths = frames?.Sum(1);                                                             // (B)
        for (var i = 0; i < config.NumAdapterLayers; i++)
        {
            var layer = adapter["layers"][i];
            Value Pooled(string name, string norm) => Glu(layer[name].Conv(layer[norm].LayerNorm(h, config.LayerNormEps).Swap(1, 2), 2 * width, kernel, stride, stride / 2)).Swap(1, 2);
            var (residual, x) = (Pooled("residual_conv", "residual_layer_norm"), Pooled("self_attn_conv", "self_attn_layer_norm"));
            Value? bias = null;
            if (lengths is not null)
            {
                lengths = (lengths + (2 * (kernel / 2) - kernel)).FloorDivide(stride) + 1;
                bias = AttentionMasks.Padding(AttentionLayers.Range(h.Graph, x.Shape[1]).Unsqueeze(0).Less(lengths.Unsqueeze(1)));
            }

            h = Attention(layer["self_attn"], x, bias, null, null, config) + residual;
            h += layer["ffn"].Mlp(layer["ffn_layer_norm"].LayerNorm(h, config.LayerNormEps), config.IntermediateSize, Activations.Named(config.AdapterAct), "intermediate_dense", "output_dense");
        }

        return h;
    }
}

/// <summary>w2v-BERT 2.0: speech to features, fifty a second.</summary>
public sealed class Wav2Vec2BertModel : FeatureModel
{
    private const int SamplingRate = 16000, Stacked = 2;
    private readonly Wav2Vec2BertConfig _config;
    private readonly NetworkCache<bool> _encoders;

    private Wav2Vec2BertModel(Wav2Vec2BertConfig config, Checkpoint checkpoint, NetworkContext context) : base(checkpoint)
    {
        _config = config;
        _encoders = new(masked => Network.Build(context, "wav2vec2-bert", scope => Encoder(scope, masked, config)));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/wav2vec2-bert",
            Paper = "Seamless: Multilingual Expressive and Streaming Speech Translation",
            ArXiv = "2312.05187",
            Authors = ["Seamless Communication"],
            Repository = "huggingface/transformers",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "MIT",
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tensors],
            Layouts = ["transformers: config.json + model.safetensors"],
            Sizes = [new("facebook/w2v-bert-2.0", 580_492_096, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => _encoders.Built;

    /// <summary>Every tensor of a configuration, without any weights.</summary>
    internal static IReadOnlyList<string> Inventory(Wav2Vec2BertConfig config) => Network.Inventory(scope => Encoder(scope, masked: false, config));

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (call != "forward") throw new ModelZooException(ErrorCodes.VerbUnsupported, $"The encoder has no call '{call}'.") { Expected = "forward" };
        var input = ("input_features", arguments.Tensor("input_features"));
        var outputs = arguments.Has("attention_mask")
            ? await _encoders[true].RunAsync(cancel, input, ("attention_mask", arguments.Tensor("attention_mask"))).ConfigureAwait(false)
            : await _encoders[false].RunAsync(cancel, input).ConfigureAwait(false);
        return outputs.ToResults();
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> FeaturesAsync(Prompt prompt, CancellationToken cancel)
    {
        var audio = Resampler.Convert(prompt.Require<Audio>(), SamplingRate, 1);
        return (await _encoders[false].RunAsync(cancel, ("input_features", Stack(audio))).ConfigureAwait(false))["last_hidden_state"];
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<Wav2Vec2BertConfig>(source.RequireFolder()).Value;
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new Wav2Vec2BertModel(config, checkpoint, NetworkContext.Of(source, Wav2Vec2BertNetwork.Keys.Apply(checkpoint))));
    }

    private static void Encoder(Scope scope, bool masked, Wav2Vec2BertConfig config)
    {
        var (batch, frames) = (Dim.Symbol("batch"), Dim.Symbol("frames"));
        var x = scope.Graph.Input("input_features", [batch, frames, config.FeatureProjectionInputDim]);
        var mask = masked ? scope.Graph.Input("attention_mask", ElementType.Int64, [batch, frames]) : null;
        scope.Graph.Output("last_hidden_state", Wav2Vec2BertNetwork.Build(scope, x, mask, config));
    }

    // The published feature extractor: Kaldi's filter banks, every band with zero mean and unit variance (unbiased), two frames side by side: (1, T, 2 mels).
    private Tensor<float> Stack(Audio audio)
    {
        var bands = MelSpectrograms.KaldiFilterBank([.. audio.Samples.Span.ToArray().Select(value => (double)value)], SamplingRate, _config.FeatureProjectionInputDim / Stacked);
        var (mels, frames) = (bands.GetLength(0), bands.GetLength(1));
        if (frames < Stacked) throw new MediaException(ErrorCodes.MediaMalformed, "The sound is shorter than one frame.") { Found = $"{audio.Length} samples" };
        var features = Tensor.Zeros<float>(1, frames / Stacked, _config.FeatureProjectionInputDim);
        for (var mel = 0; mel < mels; mel++)
        {
            var row = Enumerable.Range(0, frames).Select(frame => bands[mel, frame]).ToArray();
            var mean = row.Average();
            var scale = 1 / Math.Sqrt(row.Sum(value => (value - mean) * (value - mean)) / (frames - 1) + 1e-7);
            for (var frame = 0; frame < frames / Stacked * Stacked; frame++) features[0, frame / Stacked, frame % Stacked * mels + mel] = (float)((row[frame] - mean) * scale);
        }

        return features;
    }
}
