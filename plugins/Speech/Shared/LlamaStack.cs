using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>The published configuration of a Llama or Phi-3 (transformers' names).</summary>
public sealed record LlamaConfig
{
    [AllowedValues("llama", "phi3")] public string ModelType { get; init; } = "llama";
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 32000;
    [Range(1, 65536)] public int HiddenSize { get; init; } = 4096;
    [Range(1, 1 << 20)] public int IntermediateSize { get; init; } = 11008;
    [Range(0, 1024)] public int NumHiddenLayers { get; init; } = 32;
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 32;
    [Range(1, 1024)] public int? NumKeyValueHeads { get; init; }
    [Range(1, 1 << 24)] public int MaxPositionEmbeddings { get; init; } = 4096;
    [Range(1, 1 << 24)] public int? OriginalMaxPositionEmbeddings { get; init; }
    public string HiddenAct { get; init; } = "silu";
    public double? RmsNormEps { get; init; }
    public double RopeTheta { get; init; } = 10000;
    public LlamaRopeScaling? RopeScaling { get; init; }
    [Range(1, 1 << 24)] public int? SlidingWindow { get; init; }
    public bool AttentionBias { get; init; }
    public bool MlpBias { get; init; }
    public bool TieWordEmbeddings { get; init; }

    /// <summary>True where queries, keys and values are one map, and gate and rise another.</summary>
    internal bool IsFused => ModelType == "phi3";

    /// <summary>The published default differs between the two.</summary>
    internal double Epsilon => RmsNormEps ?? (IsFused ? 1e-5 : 1e-6);

    /// <summary>Length that the model was trained for before its positions were stretched.</summary>
    internal int OriginalPositions => OriginalMaxPositionEmbeddings ?? (IsFused ? 4096 : MaxPositionEmbeddings);

    /// <summary>True where so many tokens are more than the original positions, so that factors for long texts apply.</summary>
    internal bool IsLong(long tokens) => RopeScaling is { Kind: "longrope" or "su" } && tokens > OriginalPositions;
}

/// <summary>How positions are stretched: by one factor (linear), by wavelength (Llama 3.1), or by a factor for each pair of channels (LongRoPE; Ding et al., arXiv:2402.13753).</summary>
public sealed record LlamaRopeScaling
{
    [AllowedValues("longrope", "su", "linear", "llama3", null)] public string? Type { get; init; }
    [AllowedValues("longrope", "su", "linear", "llama3", null)] public string? RopeType { get; init; }
    public double[] ShortFactor { get; init; } = [];
    public double[] LongFactor { get; init; } = [];
    public double Factor { get; init; } = 1;
    public double LowFreqFactor { get; init; } = 1;
    public double HighFreqFactor { get; init; } = 4;
    [Range(1, 1 << 24)] public int OriginalMaxPositionEmbeddings { get; init; } = 8192;

    /// <summary>The name of the way; newer files call it <c>rope_type</c>.</summary>
    internal string Kind => RopeType ?? Type ?? "longrope";
}

/// <summary>A decoder-only language model: pre-norm blocks with rotary positions and a gated perceptron.</summary>
internal static class LlamaStack
{
    /// <summary>Embedded tokens x (B, N, D) -> states after the last norm (B, N, D).</summary>
    /// <param name="model">The scope of <c>layers</c> and <c>norm</c>.</param>
    /// <param name="x">Embedded tokens.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="isLong">True for more tokens than the original positions, where factors for long texts apply.</param>
    public static Value Build(Scope model, Value x, LlamaConfig config, bool isLong = false)
    {
        var (cos, sin) = Angles(x, config, isLong);
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            var layer = model["layers"][i];
            x += Attention(layer["self_attn"], layer["input_layernorm"].RmsNorm(x, config.Epsilon), cos, sin, config);
            x += FeedForward(layer["mlp"], layer["post_attention_layernorm"].RmsNorm(x, config.Epsilon), config);
            if (i == 0) model.Stage("block_0", x);
        }

        return model["norm"].RmsNorm(x, config.Epsilon);
    }

    /// <summary>Logits of the next tokens (B, N, V). The scope holds <c>lm_head</c> and <c>model</c>.</summary>
    public static Value Logits(Scope lm, Value states, LlamaConfig config) =>
        config.TieWordEmbeddings ? lm.Linear(states, lm["model.embed_tokens"].Weight("weight", config.VocabSize, config.HiddenSize), null) : lm["lm_head"].Linear(states, config.VocabSize, bias: false);

    private static Value Attention(Scope attention, Value x, Value cos, Value sin, LlamaConfig config)
    {
        long heads = config.NumAttentionHeads, keyHeads = config.NumKeyValueHeads ?? heads, head = config.HiddenSize / heads;
        long wide = heads * head, narrow = keyHeads * head;
        Value Rows(long start, long count) => attention["qkv_proj"].LinearRows(x, wide + 2 * narrow, start, count, bias: false);
        var (q, k, v) = config.IsFused
            ? (Rows(0, wide), Rows(wide, narrow), Rows(wide + narrow, narrow))
            : (attention["q_proj"].Linear(x, wide, config.AttentionBias), attention["k_proj"].Linear(x, narrow, config.AttentionBias), attention["v_proj"].Linear(x, narrow, config.AttentionBias));
        var options = new AttentionOptions { Heads = heads, KeyValueHeads = keyHeads, Causal = true, Window = config.SlidingWindow };
        return attention["o_proj"].Linear(AttentionLayers.Attention(q.Rotary(heads, cos, sin), k.Rotary(keyHeads, cos, sin), v, options), config.HiddenSize, config.AttentionBias && !config.IsFused);
    }

    private static Value FeedForward(Scope mlp, Value x, LlamaConfig config)
    {
        var activation = Activations.Named(config.HiddenAct);
        if (!config.IsFused) return mlp.GatedMlp(x, config.IntermediateSize, activation, bias: config.MlpBias);
        Value Half(long start) => mlp["gate_up_proj"].LinearRows(x, 2 * config.IntermediateSize, start, config.IntermediateSize, bias: false);
        return mlp["down_proj"].Linear(activation(Half(0)) * Half(config.IntermediateSize), config.HiddenSize, bias: false);
    }

    private static (Value Cos, Value Sin) Angles(Value x, LlamaConfig config, bool isLong)
    {
        var (g, head) = (x.Graph, config.HiddenSize / config.NumAttentionHeads);
        var frequencies = new float[head / 2];
        for (var i = 0; i < frequencies.Length; i++) frequencies[i] = (float)Stretched(Math.Pow(config.RopeTheta, -2.0 * i / head), i, config.RopeScaling, isLong);
        var angles = AttentionLayers.Range(g, x.Shape[1]).Cast(Contracts.ElementType.Float32).Reshape(-1, 1) * g.Constant<float>(frequencies, 1, frequencies.Length);
        if (config.RopeScaling is not { Kind: "longrope" or "su" }) return (angles.Cos(), angles.Sin());
        var stretch = (double)config.MaxPositionEmbeddings / config.OriginalPositions;
        var gain = stretch <= 1 ? 1 : Math.Sqrt(1 + Math.Log(stretch) / Math.Log(config.OriginalPositions));
        return (angles.Cos() * gain, angles.Sin() * gain);
    }

    /// <summary>The frequency of a pair of channels after stretching.</summary>
    internal static double Stretched(double frequency, int pair, LlamaRopeScaling? scaling, bool isLong)
    {
        if (scaling is null) return frequency;
        if (scaling.Kind == "linear") return frequency / scaling.Factor;
        if (scaling.Kind != "llama3") return frequency / (isLong ? scaling.LongFactor : scaling.ShortFactor)[pair];
        // Llama 3.1: short waves stay, long ones are stretched, those in between partly.
        var turns = scaling.OriginalMaxPositionEmbeddings * frequency / (2 * Math.PI);
        var kept = Math.Clamp((turns - scaling.LowFreqFactor) / (scaling.HighFreqFactor - scaling.LowFreqFactor), 0, 1);
        return (1 - kept) * frequency / scaling.Factor + kept * frequency;
    }
}
