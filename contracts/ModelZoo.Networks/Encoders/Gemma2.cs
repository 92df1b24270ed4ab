using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks.LanguageModels;

namespace ModelZoo.Networks.Encoders;

// Gemma 2: Improving Open Language Models at a Practical Size. Gemma Team. arXiv:2408.00118. Layout of huggingface/transformers: Gemma2Model and Gemma2ForCausalLM.

/// <summary>The published <c>config.json</c> of Gemma 2.</summary>
public sealed record Gemma2Config
{
    /// <summary>Number of tokens in the vocabulary.</summary>
    [Range(1, 10_000_000)] public long VocabSize { get; init; } = 256000;
    /// <summary>Width.</summary>
    [Range(1, 65536)] public long HiddenSize { get; init; } = 2304;
    /// <summary>Width of the feed-forward network.</summary>
    [Range(1, 262144)] public long IntermediateSize { get; init; } = 9216;
    /// <summary>Number of layers.</summary>
    [Range(1, 1024)] public int NumHiddenLayers { get; init; } = 26;
    /// <summary>Number of heads.</summary>
    [Range(1, 1024)] public long NumAttentionHeads { get; init; } = 8;
    /// <summary>Number of key and value heads.</summary>
    [Range(1, 1024)] public long NumKeyValueHeads { get; init; } = 4;
    /// <summary>Width of a head.</summary>
    [Range(2, 4096)] public long HeadDim { get; init; } = 256;
    /// <summary>Activation of the gate.</summary>
    public string HiddenActivation { get; init; } = "gelu_pytorch_tanh";
    /// <summary>Epsilon of the norms.</summary>
    public double RmsNormEps { get; init; } = 1e-6;
    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeTheta { get; init; } = 10000;
    /// <summary>The base, as files of transformers 5 have it.</summary>
    public RopeParameters? RopeParameters { get; init; }
    /// <summary>How frequencies are stretched; not offered.</summary>
    public RopeParameters? RopeScaling { get; init; }
    /// <summary>Whether queries see later keys as well; not offered.</summary>
    [AllowedValues(false, null)] public bool? UseBidirectionalAttention { get; init; }
    /// <summary>Whether the attention's linear maps have biases.</summary>
    public bool AttentionBias { get; init; }
    /// <summary>Scores are divided by the root of this.</summary>
    [Range(1e-9, 1e9)] public double QueryPreAttnScalar { get; init; } = 256;
    /// <summary>Keys that a query of a sliding layer sees.</summary>
    [Range(1, 10_000_000)] public long SlidingWindow { get; init; } = 4096;
    /// <summary>Kind of each layer, <c>sliding_attention</c> or <c>full_attention</c>; null is by turns, sliding first.</summary>
    public string[]? LayerTypes { get; init; }
    /// <summary>Cap of the scores; null leaves them.</summary>
    public double? AttnLogitSoftcapping { get; init; } = 50;
    /// <summary>Cap of the logits; null leaves them.</summary>
    public double? FinalLogitSoftcapping { get; init; } = 30;

    /// <summary>Base of the rotary frequencies in use.</summary>
    public double Theta => RopeParameters?.RopeTheta ?? RopeTheta;

    /// <summary>Frequencies in use: those of training.</summary>
    [AllowedValues("default")] public string RopeKind => (RopeScaling ?? RopeParameters)?.Kind ?? "default";

    /// <summary>Whether a layer has a sliding window.</summary>
    public bool Slides(int layer) => LayerTypes is null ? layer % 2 == 0 : LayerTypes[layer] == "sliding_attention";
}

/// <summary>What Gemma 2 gives as a text encoder.</summary>
/// <param name="HiddenStates">The scaled embeddings, then the output of each layer but the last: (B, N, D).</param>
/// <param name="LastHiddenState">The output after the final norm: (B, N, D).</param>
public sealed record Gemma2Outputs(IReadOnlyList<Value> HiddenStates, Value LastHiddenState);

/// <summary>Gemma 2 as a text encoder: causal attention, in every other layer over a sliding window, four norms a layer, capped scores.</summary>
public static class Gemma2
{
    /// <summary>Encodes texts. <paramref name="gemma"/> is the scope that has <c>embed_tokens</c> and <c>layers</c> in it. ids (B, N) int64; mask (B, N) int64 with 0 for padding, or null.</summary>
    public static Gemma2Outputs Encode(Scope gemma, Value ids, Gemma2Config config, Value? mask = null)
    {
        var h = gemma["embed_tokens"].Embedding(ids, config.VocabSize, config.HiddenSize) * Math.Sqrt(config.HiddenSize);       // (B, N, D)
        var (cos, sin) = PositionLayers.RotaryAngles(gemma.Graph, ids.Shape[1], config.HeadDim, config.Theta);
        var padding = mask is null ? null : AttentionMasks.Padding(mask);
        Value? near = null, all = null;
        List<Value> states = [];
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            var layer = gemma["layers"][i];
            states.Add(gemma.Stage($"hidden_states_{i}", h));
            Value Norm(string name, Value x) => layer[name].RmsNorm(x, config.RmsNormEps, offset: 1);
            var options = new AttentionOptions
            {
                Heads = config.NumAttentionHeads, KeyValueHeads = config.NumKeyValueHeads, Scale = 1 / Math.Sqrt(config.QueryPreAttnScalar),
                SoftCap = config.AttnLogitSoftcapping, Bias = config.Slides(i) ? near ??= Seen(config.SlidingWindow) : all ??= Seen(null),
            };
            h += Norm("post_attention_layernorm", Attention(layer["self_attn"], Norm("input_layernorm", h), cos, sin, options, config));
            h += Norm("post_feedforward_layernorm", FeedForward(layer["mlp"], Norm("pre_feedforward_layernorm", h), config));
        }

        h = gemma["norm"].RmsNorm(h, config.RmsNormEps, offset: 1);
        return new(states, gemma.Stage($"hidden_states_{config.NumHiddenLayers}", h));

        // One mask, not a sum of two: a query that may see no key (padding before the text, or a window's length after it) sees all of them alike, later ones too.
        Value Seen(long? window)
        {
            var order = window is { } keys ? AttentionMasks.Sliding(gemma.Graph, ids.Shape[1], ids.Shape[1], keys) : AttentionMasks.Causal(gemma.Graph, ids.Shape[1], ids.Shape[1]);
            return padding is null ? order : order.Min(padding);                                                                 // (1 or B, 1, N, N)
        }
    }

    private static Value Attention(Scope attention, Value x, Value cos, Value sin, AttentionOptions options, Gemma2Config config)
    {
        var (heads, keyHeads, bias) = (config.NumAttentionHeads, config.NumKeyValueHeads, config.AttentionBias);
        var q = attention["q_proj"].Linear(x, heads * config.HeadDim, bias).Rotary(heads, cos, sin);
        var k = attention["k_proj"].Linear(x, keyHeads * config.HeadDim, bias).Rotary(keyHeads, cos, sin);
        var v = attention["v_proj"].Linear(x, keyHeads * config.HeadDim, bias);
        return attention["o_proj"].Linear(AttentionLayers.Attention(q, k, v, options), config.HiddenSize, bias);
    }

    private static Value FeedForward(Scope mlp, Value x, Gemma2Config config) => mlp["down_proj"].Linear(
        Activations.Named(config.HiddenActivation)(mlp["gate_proj"].Linear(x, config.IntermediateSize, bias: false)) * mlp["up_proj"].Linear(x, config.IntermediateSize, bias: false), config.HiddenSize, bias: false);
}
