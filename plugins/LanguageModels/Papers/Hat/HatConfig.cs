using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks.LanguageModels;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The published <c>config.json</c>: <c>HATArchitectureConfig</c>.</summary>
public sealed record HatConfig
{
    /// <summary>From bytes to states.</summary>
    public HatLayersConfig EncoderConfig { get; init; } = new();
    /// <summary>Over words.</summary>
    public HatLayersConfig BackboneConfig { get; init; } = new();
    /// <summary>From states and words to bytes.</summary>
    public HatLayersConfig DecoderConfig { get; init; } = new();
    /// <summary>Ids of special tokens by their text; ids that no text has as bytes.</summary>
    public Dictionary<string, int> SpecialTokenDict { get; init; } = new() { ["<|eot_id|>"] = 192 };
    /// <summary>Id that ends a text.</summary>
    [Range(0, 255)] public int EosTokenId { get; init; } = 192;
    /// <summary>Most bytes of a word.</summary>
    [Range(1, 1 << 20)] public int MaxWordSize { get; init; } = 100;

    /// <summary>This configuration, if its parts fit.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>: they do not.</exception>
    internal HatConfig Checked()
    {
        Require("encoder_config.cross_attention_config", "one", EncoderConfig.CrossAttentionConfig is not null);
        Require("decoder_config.cross_attention_config", "one", DecoderConfig.CrossAttentionConfig is not null);
        Require("decoder_config.hidden_size", $"that of the encoder, {EncoderConfig.HiddenSize}", DecoderConfig.HiddenSize == EncoderConfig.HiddenSize);
        Require("special_token_dict", "ids below 256", SpecialTokenDict.Values.All(id => id is >= 0 and < 256));
        foreach (var layers in (HatLayersConfig[])[EncoderConfig, BackboneConfig, DecoderConfig]) Require("num_attention_heads", "heads that divide the width and one another", layers.HiddenSize % layers.NumAttentionHeads == 0 && layers.NumAttentionHeads % layers.KeyValueHeads == 0);
        foreach (var cross in (HatCrossAttentionConfig[])[EncoderConfig.CrossAttentionConfig!, DecoderConfig.CrossAttentionConfig!]) Require("cross_attention_config.num_attention_heads", "heads that divide the width and one another", cross.HiddenSize % cross.NumAttentionHeads == 0 && cross.NumAttentionHeads % cross.AttentionNumKvHeads == 0);
        Require("encoder_config.cross_attention_config.hidden_size", "heads as wide as the encoder's", EncoderConfig.CrossAttentionConfig!.HiddenSize / EncoderConfig.CrossAttentionConfig.NumAttentionHeads == EncoderConfig.HiddenSize / EncoderConfig.NumAttentionHeads);
        return this;
    }

    private static void Require(string key, string expected, bool holds)
    {
        if (!holds) throw new ModelZooException(ErrorCodes.ConfigInvalid, "The configuration does not fit HAT.") { Where = key, Expected = expected };
    }
}

/// <summary>Layers of LLaMA, as <c>TransformerHATModelConfig</c> has them, with what encoder and decoder add.</summary>
public sealed record HatLayersConfig
{
    /// <summary>Number of ids; 0 in the backbone, which has words alone.</summary>
    [Range(0, 1 << 20)] public int VocabSize { get; init; }
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 4096;
    /// <summary>Layers.</summary>
    [Range(0, 1024)] public int NumHiddenLayers { get; init; } = 32;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 32;
    /// <summary>Heads of keys and values; null for as many.</summary>
    [Range(1, 1024)] public int? NumKeyValueHeads { get; init; }
    /// <summary>Epsilon of the norms.</summary>
    [Range(0.0, 1)] public double RmsNormEps { get; init; } = 1e-5;
    /// <summary>Width within the perceptrons.</summary>
    [Range(1, 1 << 20)] public int IntermediateSize { get; init; } = 14336;
    /// <summary>Longest sequence.</summary>
    [Range(1, 1 << 30)] public int MaxPositionEmbeddings { get; init; } = 131072;
    /// <summary>How rotary frequencies are stretched.</summary>
    public RopeParameters? RopeScaling { get; init; }
    /// <summary>Base of the rotary frequencies.</summary>
    [Range(1.0, 1e15)] public double RopeTheta { get; init; } = 500000;
    /// <summary>Whether the perceptrons have biases.</summary>
    public bool MlpBias { get; init; }
    /// <summary>Places before its own that a query sees; null for all.</summary>
    [Range(1, 1 << 30)] public int? SlidingWindow { get; init; }
    /// <summary>Whether queries and keys are normed.</summary>
    public bool KeyQueryNorm { get; init; }
    /// <summary>Whether each head is normed by itself.</summary>
    public bool KeyQueryNormPerHead { get; init; }
    /// <summary>Where bytes meet words; null in the backbone.</summary>
    public HatCrossAttentionConfig? CrossAttentionConfig { get; init; }
    /// <summary>Whether all layers of the decoder look at words, or the first alone.</summary>
    public bool CrossAttnEveryLayer { get; init; } = true;

    internal int KeyValueHeads => NumKeyValueHeads ?? NumAttentionHeads;

    internal RotarySettings Rotary => new(RopeScaling ?? new(), HiddenSize / NumAttentionHeads, RopeTheta, MaxPositionEmbeddings);
}

/// <summary>The authors' <c>CrossAttentionConfig</c>. <c>word_window_size</c> is not used by their code.</summary>
public sealed record HatCrossAttentionConfig
{
    /// <summary>Width of all heads.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 4096;
    /// <summary>Width of what asks.</summary>
    [Range(1, 65536)] public int HiddenSizeQ { get; init; } = 4096;
    /// <summary>Width of what is asked.</summary>
    [Range(1, 65536)] public int HiddenSizeKv { get; init; } = 1024;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 32;
    /// <summary>Heads of keys and values.</summary>
    [Range(1, 1024)] public int AttentionNumKvHeads { get; init; } = 32;
    /// <summary>Words that are asked.</summary>
    [Range(1, 1)] public int WordWindowSize { get; init; } = 1;
    /// <summary>Whether queries and keys are normed.</summary>
    public bool KeyQueryNorm { get; init; }
    /// <summary>Whether each head is normed by itself.</summary>
    public bool KeyQueryNormPerHead { get; init; }
}
