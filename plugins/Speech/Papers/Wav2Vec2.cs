// wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations. Baevski, Zhou, Mohamed, Auli. arXiv:2006.11477. github.com/facebookresearch/fairseq
// HuBERT: Self-Supervised Speech Representation Learning by Masked Prediction of Hidden Units. Hsu et al. arXiv:2106.07447. The same network.
// WavLM: Large-Scale Self-Supervised Pre-Training for Full Stack Speech Processing. Chen et al. arXiv:2110.13900. The same network with gated position biases; X-Codec builds on it.
// Published layouts: transformers Wav2Vec2Model and HubertModel (config.json + model.safetensors or pytorch_model.bin). Deviations: none; the pre-training heads are not read.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>The published configuration; defaults are those of the base models.</summary>
public sealed record Wav2Vec2Config
{
    [Length(1, 64)] public int[] ConvDim { get; init; } = [512, 512, 512, 512, 512, 512, 512];
    [Length(1, 64)] public int[] ConvKernel { get; init; } = [10, 3, 3, 3, 3, 2, 2];
    [Length(1, 64)] public int[] ConvStride { get; init; } = [5, 2, 2, 2, 2, 2, 2];
    public bool ConvBias { get; init; }
    [AllowedValues("group", "layer")] public string FeatExtractNorm { get; init; } = "group";
    [Range(1, 65536)] public int HiddenSize { get; init; } = 768;
    [Range(1, 1024)] public int NumHiddenLayers { get; init; } = 12;
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 12;
    [Range(1, 1 << 20)] public int IntermediateSize { get; init; } = 3072;
    [Range(1, 4096)] public int NumConvPosEmbeddings { get; init; } = 128;
    [Range(1, 4096)] public int NumConvPosEmbeddingGroups { get; init; } = 16;
    public double LayerNormEps { get; init; } = 1e-5;
    public bool DoStableLayerNorm { get; init; }
    public bool FeatProjLayerNorm { get; init; } = true;
    public string HiddenAct { get; init; } = "gelu";
    public string FeatExtractActivation { get; init; } = "gelu";
    public bool ConvPosBatchNorm { get; init; }                                                      // HuBERT only
    [Range(1, 65536)] public int? AdapterAttnDim { get; init; }                                      // MMS (arXiv:2305.13516): a narrow layer for each language
    public bool AddAdapter { get; init; }                                                            // wav2vec 2.0 and WavLM only
    [Range(1, 64)] public int AdapterKernelSize { get; init; } = 3;
    [Range(1, 64)] public int AdapterStride { get; init; } = 2;
    [Range(0, 64)] public int NumAdapterLayers { get; init; } = 3;
    [Range(1, 65536)] public int? OutputHiddenSize { get; init; }
    public string? ModelType { get; init; }
    [Range(4, 1 << 20)] public int NumBuckets { get; init; } = 320;                                  // WavLM only
    [Range(1, 1 << 20)] public int MaxBucketDistance { get; init; } = 800;                           // WavLM only

    /// <summary>True when attention has gated biases by distance.</summary>
    internal bool IsWavLM => ModelType == "wavlm";

    /// <summary>Frames of a number of samples: floor((n - kernel) / stride) + 1 at each convolution.</summary>
    public long Frames(long samples) => ConvKernel.Zip(ConvStride).Aggregate(samples, (length, conv) => (length - conv.First) / conv.Second + 1);
}

/// <summary>Convolutions over the wave, a convolution for positions, a transformer.</summary>
internal static class Wav2Vec2Network
{
    /// <summary>wav2vec 2.0's names carry a prefix, HuBERT's none.</summary>
    public static readonly KeyMap Keys = new((@"^(?:wav2vec2|hubert)\.", ""));

    /// <summary>x (B, samples), frames to use (B, frames) or null -> (B, frames, D); fewer frames with an adapter.</summary>
    public static Value Build(Scope model, Value x, Value? mask, Wav2Vec2Config config)
    {
        var h = HiddenStates(model, x, mask, config)[^1];
        if (config.DoStableLayerNorm) h = model["encoder.layer_norm"].LayerNorm(h, config.LayerNormEps);
        return config.AddAdapter ? Adapter(model["adapter"], h, config) : h;
    }

    /// <summary>The input of the first layer and the output of each.</summary>
    public static IReadOnlyList<Value> HiddenStates(Scope model, Value x, Value? mask, Wav2Vec2Config config)
    {
        var h = model.Stage("conv_features", Extract(model, x.Unsqueeze(1), config)).Swap(1, 2);      // (B, T, C)
        var projection = model["feature_projection"];
        if (config.FeatProjLayerNorm) h = projection["layer_norm"].LayerNorm(h, config.LayerNormEps);
        h = model.Stage("projected", projection["projection"].Linear(h, config.HiddenSize));
        if (mask is not null) h *= mask.Unsqueeze(-1);
        h += model.Stage("position_conv", Positions(model["encoder.pos_conv_embed"], h, config));

        var (encoder, bias) = (model["encoder"], mask is null ? null : AttentionMasks.Padding(mask));
        if (!config.DoStableLayerNorm) h = encoder["layer_norm"].LayerNorm(h, config.LayerNormEps);
        var states = new List<Value> { h };
        var distances = config.IsWavLM ? encoder["layers.0.attention.rel_attn_embed"].T5Bias(h.Shape[1], h.Shape[1], config.NumAttentionHeads, config.NumBuckets, config.MaxBucketDistance) : null;
        for (var i = 0; i < config.NumHiddenLayers; i++) states.Add(h = Layer(encoder["layers"][i], h, bias, distances, config));
        for (var i = 0; i < states.Count; i++) model.Stage($"hidden_{i}", states[i]);
        return states;
    }

    private static Value Extract(Scope model, Value x, Wav2Vec2Config config)
    {
        for (var i = 0; i < config.ConvDim.Length; i++)
        {
            var layer = model["feature_extractor.conv_layers"][i];
            x = layer["conv"].Conv(x, config.ConvDim[i], config.ConvKernel[i], config.ConvStride[i], bias: config.ConvBias);
            if (config.FeatExtractNorm == "layer") x = layer["layer_norm"].LayerNorm(x.Swap(1, 2)).Swap(1, 2);
            else if (i == 0) x = layer["layer_norm"].GroupNorm(x, config.ConvDim[0]);
            x = Activations.Named(config.FeatExtractActivation)(x);
            if (i == 0) model.Stage("conv_0", x);
        }

        return x;
    }

    // A wide grouped convolution; an even kernel gives one frame too many. Weight norm here is over the first two dimensions: one gain for each tap.
    private static Value Positions(Scope positions, Value h, Wav2Vec2Config config)
    {
        var conv = positions["conv"];
        var (width, kernel, groups) = (config.HiddenSize, config.NumConvPosEmbeddings, config.NumConvPosEmbeddingGroups);
        if (config.ConvPosBatchNorm)
        {
            var normed = positions["batch_norm"].BatchNorm(h.Swap(1, 2));
            return Trimmed(conv.Conv(normed, width, kernel, padding: kernel / 2, groups: groups), h, config);
        }

        var (gain, direction) = (conv.Data("weight_g", 1, 1, kernel), conv.Data("weight_v", width, width / groups, kernel));
        var weight = conv.Derive("weight", [width, width / groups, kernel], target =>
        {
            var (g, v) = (gain.Span<float>().ToArray(), direction.Span<float>().ToArray());
            var squares = new double[kernel];
            for (var i = 0; i < v.Length; i++) squares[i % kernel] += (double)v[i] * v[i];
            for (var i = 0; i < v.Length; i++) target[i] = (float)(g[i % kernel] * v[i] / Math.Sqrt(squares[i % kernel]));
        });
        return Trimmed(conv.Conv(h.Swap(1, 2), weight, conv.Weight("bias", width), padding: kernel / 2, groups: groups), h, config);
    }

    private static Value Trimmed(Value y, Value h, Wav2Vec2Config config) =>
        Activations.Named(config.FeatExtractActivation)(config.NumConvPosEmbeddings % 2 == 0 ? y.Take(2, h.Shape[1]) : y).Swap(1, 2);

    private static Value Layer(Scope layer, Value h, Value? bias, Value? distances, Wav2Vec2Config config)
    {
        Value Norm(string name, Value x) => layer[name].LayerNorm(x, config.LayerNormEps);
        if (config.DoStableLayerNorm)
        {
            h += Attention(layer["attention"], Norm("layer_norm", h), bias, distances, config);
            h += FeedForward(layer["feed_forward"], Norm("final_layer_norm", h), config);
            if (config.AdapterAttnDim is not { } narrow) return h;
            var adapter = layer["adapter_layer"];
            return h + adapter.Mlp(adapter["norm"].LayerNorm(h), narrow, y => y.Relu(), "linear_1", "linear_2");
        }

        h = Norm("layer_norm", h + Attention(layer["attention"], h, bias, distances, config));
        return Norm("final_layer_norm", h + FeedForward(layer["feed_forward"], h, config));
    }

    private static Value Attention(Scope attention, Value x, Value? bias, Value? distances, Wav2Vec2Config config)
    {
        if (distances is not null)
        {
            var gated = Gate(attention, x, config) * distances;
            bias = bias is null ? gated : bias + gated;
        }

        Value Map(string name) => attention[name].Linear(x, config.HiddenSize);
        return attention["out_proj"].Linear(AttentionLayers.Attention(Map("q_proj"), Map("k_proj"), Map("v_proj"), new() { Heads = config.NumAttentionHeads, Bias = bias }), config.HiddenSize);
    }

    // WavLM, section 3.2: the bias counts as much as the query says, through two gates and a learned factor. -> (B, heads, T, 1).
    private static Value Gate(Scope attention, Value x, Wav2Vec2Config config)
    {
        long heads = config.NumAttentionHeads;
        var sums = attention["gru_rel_pos_linear"].Linear(x.SplitHeads(heads), 8).Reshape(x.Shape[0], heads, x.Shape[1], 2, 4).Sum(-1);
        var (a, b) = sums.Sigmoid().Chunk2();
        return a * (b * attention.Weight("gru_rel_pos_const", 1, heads, 1, 1) - 1) + 2;
    }

    // Strided convolutions with gates, after a map where the width changes.
    private static Value Adapter(Scope adapter, Value h, Wav2Vec2Config config)
    {
        var width = config.OutputHiddenSize ?? config.HiddenSize;
        if (width != config.HiddenSize) h = adapter["proj_layer_norm"].LayerNorm(adapter["proj"].Linear(h, width));
        h = h.Swap(1, 2);
        for (var i = 0; i < config.NumAdapterLayers; i++)
        {
            var (value, gate) = adapter["layers"][i]["conv"].Conv(h, 2 * width, config.AdapterKernelSize, config.AdapterStride, padding: 1).Chunk2(1);
            h = value * gate.Sigmoid();
        }

        return h.Swap(1, 2);
    }

    private static Value FeedForward(Scope mlp, Value x, Wav2Vec2Config config) => mlp.Mlp(x, config.IntermediateSize, Activations.Named(config.HiddenAct), "intermediate_dense", "output_dense");
}

/// <summary>wav2vec 2.0 and HuBERT: speech to features.</summary>
public sealed class Wav2Vec2Model : FeatureModel
{
    private const int SamplingRate = 16000;
    private readonly Wav2Vec2Config _config;
    private readonly NetworkCache<bool> _encoders;

    private Wav2Vec2Model(Wav2Vec2Config config, Checkpoint checkpoint, NetworkContext context) : base(checkpoint)
    {
        _config = config;
        _encoders = new(masked => Network.Build(context, "wav2vec2", scope => Encoder(scope, masked, config)));
    }

    /// <summary>wav2vec 2.0.</summary>
    public static ModelArchitecture Wav2Vec2 { get; } = new(
        new()
        {
            Id = "speech/wav2vec2",
            Paper = "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations",
            ArXiv = "2006.11477",
            Authors = ["Alexei Baevski", "Henry Zhou", "Abdelrahman Mohamed", "Michael Auli"],
            Repository = "huggingface/transformers",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "Apache-2.0",
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tensors],
            Layouts = ["transformers: config.json + model.safetensors"],
            Sizes = [new("facebook/wav2vec2-base-960h", 94_370_944, []), new("facebook/wav2vec2-large-960h-lv60-self", 315_437_696, [])],
        },
        OpenAsync);

    /// <summary>HuBERT.</summary>
    public static ModelArchitecture Hubert { get; } = new(
        Wav2Vec2.Card with
        {
            Id = "speech/hubert",
            Paper = "HuBERT: Self-Supervised Speech Representation Learning by Masked Prediction of Hidden Units",
            ArXiv = "2106.07447",
            Authors = ["Wei-Ning Hsu", "Benjamin Bolte", "Yao-Hung Hubert Tsai", "Kushal Lakhotia", "Ruslan Salakhutdinov", "Abdelrahman Mohamed"],
            Sizes = [new("facebook/hubert-base-ls960", 94_370_944, []), new("facebook/hubert-large-ll60k", 315_437_696, []), new("facebook/hubert-xlarge-ll60k", 962_496_128, [])],
        },
        OpenAsync);

    internal static IReadOnlyList<string> Inventory(Wav2Vec2Config config) => Network.Inventory(scope => Encoder(scope, masked: false, config));

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => _encoders.Built;

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (call != "forward") throw new ModelZooException(ErrorCodes.VerbUnsupported, $"The encoder has no call '{call}'.") { Expected = "forward" };
        var input = arguments.Tensor<float>("input_values");
        if (!arguments.Has("attention_mask")) return (await _encoders[false].RunAsync(cancel, ("input_values", input)).ConfigureAwait(false)).ToResults();
        return (await _encoders[true].RunAsync(cancel, ("input_values", input), ("mask", FrameMask(arguments.Tensor<long>("attention_mask")))).ConfigureAwait(false)).ToResults();
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> FeaturesAsync(Prompt prompt, CancellationToken cancel)
    {
        var audio = Resampler.Convert(prompt.Require<Audio>(), SamplingRate, 1);
        if (_config.Frames(audio.Length) < 1) throw TooShort(audio.Length);
        return (await _encoders[false].RunAsync(cancel, ("input_values", Normalized(audio))).ConfigureAwait(false))["last_hidden_state"];
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<Wav2Vec2Config>(source.RequireFolder()).Value;
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new Wav2Vec2Model(config, checkpoint, NetworkContext.Of(source, Wav2Vec2Network.Keys.Then(KeyMap.WeightNorm).Apply(checkpoint))));
    }

    private static void Encoder(Scope scope, bool masked, Wav2Vec2Config config)
    {
        var x = scope.Graph.Input("input_values", [Dim.Symbol("batch"), Dim.Symbol("samples")]);
        var frames = config.ConvKernel.Zip(config.ConvStride).Aggregate((Dim)Dim.Symbol("samples"), (length, conv) => (length - conv.First) / conv.Second + 1);
        var mask = masked ? scope.Graph.Input("mask", [Dim.Symbol("batch"), frames]) : null;
        scope.Graph.Output("last_hidden_state", Wav2Vec2Network.Build(scope, x, mask, config));
    }

    // Ones for the frames that a row's samples fill.
    private Tensor<float> FrameMask(Tensor<long> samples)
    {
        var (batch, frames) = ((int)samples.Shape[0], _config.Frames(samples.Shape[1]));
        var mask = Tensor.Zeros<float>(batch, frames);
        for (var row = 0; row < batch; row++)
        {
            var length = 0L;
            foreach (var value in samples.Slice(row).Span) length += value;
            if (_config.Frames(length) < 1) throw TooShort(length);
            mask.Slice(row).Span[..(int)_config.Frames(length)].Fill(1);
        }

        return mask;
    }

    private static MediaException TooShort(long samples) => new(ErrorCodes.MediaMalformed, "The sound is shorter than one frame.") { Found = $"{samples} samples" };

    // The published feature extractor: zero mean, unit variance.
    private static Tensor<float> Normalized(Audio audio)
    {
        var (sum, squares) = (0.0, 0.0);
        foreach (var value in audio.Samples.Span) (sum, squares) = (sum + value, squares + (double)value * value);
        var mean = sum / audio.Length;
        var scale = 1 / Math.Sqrt(squares / audio.Length - mean * mean + 1e-7);
        return Tensor.Create([.. audio.Samples.Span.ToArray().Select(value => (float)((value - mean) * scale))], 1, audio.Length);
    }
}
