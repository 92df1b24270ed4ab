using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.LanguageModels;

/// <summary>The published <c>config.json</c> of transformers' LLaMA, Qwen2 and Phi-3. Papers that build on one add their own keys.</summary>
public record LlamaConfig
{
    /// <summary><c>llama</c>; <c>qwen2</c>, which has biases on queries, keys and values and on nothing else; <c>phi3</c>, whose queries, keys and values are one map, and gate and rise another.</summary>
    [AllowedValues("llama", "qwen2", "phi3")] public string ModelType { get; init; } = "llama";
    /// <summary>Number of tokens.</summary>
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 32000;
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 4096;
    /// <summary>Width of the feed-forward network.</summary>
    [Range(1, 1 << 20)] public int IntermediateSize { get; init; } = 11008;
    /// <summary>Number of layers.</summary>
    [Range(0, 1024)] public int NumHiddenLayers { get; init; } = 32;
    /// <summary>Number of query heads.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 32;
    /// <summary>Number of key and value heads; null is as many.</summary>
    [Range(1, 1024)] public int? NumKeyValueHeads { get; init; }
    /// <summary>Width of a head; null is the width over the heads.</summary>
    [Range(1, 65536)] public int? HeadDim { get; init; }
    /// <summary>Epsilon of the norms; null is the kind's own.</summary>
    public double? RmsNormEps { get; init; }
    /// <summary>Longest sequence; null is the kind's own.</summary>
    [Range(1, 1 << 30)] public int? MaxPositionEmbeddings { get; init; }
    /// <summary>Length of training where rotary settings stretch it; null is as they say.</summary>
    [Range(1, 1 << 30)] public int? OriginalMaxPositionEmbeddings { get; init; }
    /// <summary>Base of the rotary frequencies, where the rotary settings do not say.</summary>
    public double RopeTheta { get; init; } = 10000;
    /// <summary>Newer files' rotary settings.</summary>
    [CompleteRotary] public RopeParameters? RopeParameters { get; init; }
    /// <summary>Older files' changes to the rotary settings.</summary>
    [CompleteRotary] public RopeParameters? RopeScaling { get; init; }
    /// <summary>Part of a head's channels that turn (Phi-3).</summary>
    [Range(0.01, 1)] public double PartialRotaryFactor { get; init; } = 1;
    /// <summary>Number of keys that a query sees, its own among them: where <see cref="UseSlidingWindow"/> says so, or always (Phi-3). Null is all.</summary>
    [Range(1, 1 << 30)] public int? SlidingWindow { get; init; }
    /// <summary>Whether Qwen2 has the window, from layer <see cref="MaxWindowLayers"/> on.</summary>
    public bool UseSlidingWindow { get; init; }
    /// <summary>Number of Qwen2's first layers that see everything.</summary>
    [Range(0, 1024)] public int MaxWindowLayers { get; init; } = 28;
    /// <summary>Activation of the gate.</summary>
    public string HiddenAct { get; init; } = "silu";
    /// <summary>Whether LLaMA's attention has biases.</summary>
    public bool AttentionBias { get; init; }
    /// <summary>Whether LLaMA's feed-forward network has biases.</summary>
    public bool MlpBias { get; init; }
    /// <summary>Whether the output map is the embedding table.</summary>
    public bool TieWordEmbeddings { get; init; }
    /// <summary>Id that ends a sequence.</summary>
    public int EosTokenId { get; init; } = 2;

    /// <summary>Number of key and value heads.</summary>
    public int KeyValueHeads => NumKeyValueHeads ?? NumAttentionHeads;

    /// <summary>Width of a head.</summary>
    public int HeadWidth => HeadDim ?? HiddenSize / NumAttentionHeads;

    /// <summary>How positions turn queries and keys.</summary>
    public RotarySettings Rotary => new(RopeScaling ?? RopeParameters ?? new(), (int)(HeadWidth * PartialRotaryFactor), RopeTheta, MaxPositions, OriginalMaxPositionEmbeddings ?? (IsPhi ? 4096 : null));

    internal bool IsQwen => ModelType == "qwen2";

    internal bool IsPhi => ModelType == "phi3";

    internal double Epsilon => RmsNormEps ?? (IsPhi ? 1e-5 : 1e-6);

    private int MaxPositions => MaxPositionEmbeddings ?? (IsQwen ? 32768 : IsPhi ? 4096 : 2048);

    internal int? Window(int layer) => IsPhi || (IsQwen && UseSlidingWindow && layer >= MaxWindowLayers) ? SlidingWindow : null;
}
