using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Networks.LanguageModels;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>One of BLT's four transformers. Keys of transformers' <c>config.json</c>; each has defaults of its own.</summary>
public abstract record BltStackConfig
{
    /// <summary>Number of ids, where it has an embedding.</summary>
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 260;
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 1024;
    /// <summary>Number of layers.</summary>
    [Range(1, 1024)] public int NumHiddenLayers { get; init; } = 1;
    /// <summary>Number of query heads.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 16;
    /// <summary>Number of key and value heads; null is as many.</summary>
    [Range(1, 1024)] public int? NumKeyValueHeads { get; init; }
    /// <summary>Width of the feed-forward network; null is 8/3 of the width.</summary>
    [Range(0, 1 << 20)] public int? IntermediateSize { get; init; } = 2816;
    /// <summary>Activation of the gate.</summary>
    public string HiddenAct { get; init; } = "silu";
    /// <summary>Epsilon of the norms.</summary>
    [Range(0.0, 1)] public double RmsNormEps { get; init; } = 1e-5;
    /// <summary>Longest sequence, for rotary settings that stretch it.</summary>
    [Range(1, 1 << 30)] public int MaxPositionEmbeddings { get; init; } = 24576;
    /// <summary>Base of the rotary frequencies, where the rotary settings do not say.</summary>
    [Range(1.0, 1e15)] public double RopeTheta { get; init; } = 500000;
    /// <summary>Newer files' rotary settings.</summary>
    public RopeParameters? RopeParameters { get; init; }
    /// <summary>Older files' rotary settings.</summary>
    public RopeParameters? RopeScaling { get; init; }
    /// <summary>Number of bytes that a byte sees, its own among them; null is all, as in transformers. Only the authors' own layout has it.</summary>
    [JsonIgnore] public int? Window { get; init; }

    internal int KeyValueHeads => NumKeyValueHeads is > 0 and var heads ? heads : NumAttentionHeads;

    internal int HeadWidth => HiddenSize / NumAttentionHeads;

    internal int Intermediate => IntermediateSize is > 0 and var width ? width : 8 * HiddenSize / 3;

    internal RotarySettings Rotary => new(RopeScaling ?? RopeParameters ?? new(), HeadWidth, RopeTheta, MaxPositionEmbeddings);
}

/// <summary>A transformer over bytes that looks at patches, or from which patches look.</summary>
public abstract record BltLocalConfig : BltStackConfig
{
    /// <summary>Whether every layer has a cross attention, or one of them: the encoder's last, the decoder's first.</summary>
    public bool CrossAttnAllLayers { get; init; }
    /// <summary>Vectors of a patch that bytes look at.</summary>
    [Range(1, 64)] public int CrossAttnK { get; init; } = 2;
}

/// <summary>Reads bytes.</summary>
public sealed record BltEncoderConfig : BltLocalConfig;

/// <summary>Writes bytes.</summary>
public sealed record BltDecoderConfig : BltLocalConfig
{
    /// <summary>The published defaults.</summary>
    public BltDecoderConfig() => (NumHiddenLayers, CrossAttnAllLayers) = (9, true);
}

/// <summary>The large transformer over patches.</summary>
public sealed record BltGlobalConfig : BltStackConfig
{
    /// <summary>The published defaults.</summary>
    public BltGlobalConfig() => (HiddenSize, NumHiddenLayers, IntermediateSize, MaxPositionEmbeddings) = (2048, 25, 5632, 4096);
}

/// <summary>The small language model whose entropies cut bytes into patches.</summary>
public sealed record BltPatcherConfig : BltStackConfig
{
    /// <summary>The published defaults.</summary>
    public BltPatcherConfig() => (HiddenSize, NumHiddenLayers, NumAttentionHeads, IntermediateSize, MaxPositionEmbeddings, RopeTheta) = (768, 14, 12, 2048, 8192, 10000);
}

/// <summary>The published configuration; keys and defaults of transformers' BLT.</summary>
public sealed record BltConfig
{
    /// <summary>Number of ids: four marks, and the bytes.</summary>
    [Range(260, 1 << 24)] public int VocabSize { get; init; } = 260;
    /// <summary>Longest sequence of training.</summary>
    [Range(2, 1 << 30)] public int MaxPositionEmbeddings { get; init; } = 4096;
    /// <summary>Whether the patcher is part of the checkpoint.</summary>
    public bool PatchInForward { get; init; } = true;
    /// <summary>Bytes of a patch of equal patches; null, and the patcher makes a patch of each byte.</summary>
    public double? PatchSize { get; init; } = 4;
    /// <summary>What cuts: <c>entropy</c>, or in the authors' patcher <c>space</c>, <c>static</c> or <c>byte</c>.</summary>
    public string PatchingMode { get; init; } = "entropy";
    /// <summary>Entropy above which a patch begins, in nats.</summary>
    public double PatchingThreshold { get; init; } = 1.335442066192627;
    /// <summary>How much entropy must rise besides; the authors' patcher alone knows it.</summary>
    public double? PatchingThresholdAdd { get; init; }
    /// <summary>Whether the threshold is one of how much entropy rises; the authors' patcher alone knows it.</summary>
    public bool Monotonicity { get; init; }
    /// <summary>Most bytes of a patch.</summary>
    [Range(1, 1 << 20)] public int? MaxPatchLength { get; init; }
    /// <summary>Vectors of a patch that bytes look at.</summary>
    [Range(1, 64)] public int CrossAttnK { get; init; } = 2;
    /// <summary>Lengths of the runs of bytes that have hashed embeddings.</summary>
    [Length(1, 64)] public int[] EncoderHashByteGroupSize { get; init; } = [3, 4, 5, 6, 7, 8];
    /// <summary>Rows of each table of hashed embeddings.</summary>
    [Range(1, 1 << 28)] public int EncoderHashByteGroupVocab { get; init; } = 500002;
    /// <summary>Hash functions, each with tables of its own.</summary>
    [Range(1, 64)] public int EncoderHashByteGroupNbFunctions { get; init; } = 1;
    /// <summary>Whether the output map is the encoder's embedding.</summary>
    public bool TieWordEmbeddings { get; init; }
    /// <summary>The small language model that cuts.</summary>
    public BltPatcherConfig PatcherConfig { get; init; } = new();
    /// <summary>Reads bytes.</summary>
    public BltEncoderConfig EncoderConfig { get; init; } = new();
    /// <summary>The large transformer.</summary>
    public BltGlobalConfig GlobalConfig { get; init; } = new();
    /// <summary>Writes bytes.</summary>
    public BltDecoderConfig DecoderConfig { get; init; } = new();

    /// <summary>Hashed embeddings of a byte.</summary>
    internal int HashTables => EncoderHashByteGroupNbFunctions * EncoderHashByteGroupSize.Length;

    /// <summary>True when entropies cut.</summary>
    internal bool IsEntropic => PatchingMode == "entropy" && PatchInForward;

    /// <summary>When a patch begins.</summary>
    /// <param name="chosen">What the caller chooses; null is as published.</param>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>: the published way is not known.</exception>
    internal BltPatchRule Rule(BltPatching? chosen)
    {
        // Without a small model transformers makes a patch of each byte, whatever the mode.
        var published = PatchingMode == "entropy" && !PatchInForward ? "byte" : PatchingMode;
        var mode = chosen ?? (Enum.TryParse(published, ignoreCase: true, out BltPatching known) ? known
            : throw new ModelZooException(ErrorCodes.ConfigInvalid, "There is no such way of cutting bytes.") { Where = "patching_mode", Expected = "entropy, space, static, byte", Found = PatchingMode });
        return new(mode, PatchingThreshold, PatchingThresholdAdd, Monotonicity, Math.Max(1, (int)(PatchSize ?? 1)), MaxPatchLength);
    }

    /// <summary>Refuses parts that do not fit together.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>.</exception>
    internal BltConfig Checked(string origin)
    {
        if (EncoderConfig.CrossAttnK != CrossAttnK || DecoderConfig.CrossAttnK != CrossAttnK)
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "Encoder, decoder and model have another number of vectors a patch.") { Where = $"{origin}: cross_attn_k", Expected = $"{CrossAttnK}", Found = $"{EncoderConfig.CrossAttnK}, {DecoderConfig.CrossAttnK}" };
        if (EncoderConfig.HiddenSize != DecoderConfig.HiddenSize)
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "The decoder goes on from the encoder's states, and is of another width.") { Where = $"{origin}: decoder_config.hidden_size", Expected = $"{EncoderConfig.HiddenSize}", Found = $"{DecoderConfig.HiddenSize}" };
        return this;
    }
}
