using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The published <c>config.json</c>: T5's keys with the values of <c>google/byt5-small</c>, and the gate's.</summary>
public sealed record MrT5Config
{
    /// <summary>Number of ids: three marks, the bytes, and ids for masked spans.</summary>
    [Range(259, 1 << 24)] public long VocabSize { get; init; } = 384;
    /// <summary>Width.</summary>
    [Range(1, 65536)] public long DModel { get; init; } = 1472;
    /// <summary>Width of a head.</summary>
    [Range(1, 4096)] public long DKv { get; init; } = 64;
    /// <summary>Width of the feed-forward network.</summary>
    [Range(1, 262144)] public long DFf { get; init; } = 3584;
    /// <summary>Layers of the encoder.</summary>
    [Range(1, 1024)] public int NumLayers { get; init; } = 12;
    /// <summary>Layers of the decoder; null is as many.</summary>
    [Range(1, 1024)] public int? NumDecoderLayers { get; init; } = 4;
    /// <summary>Number of heads.</summary>
    [Range(1, 1024)] public long NumHeads { get; init; } = 6;
    /// <summary>Number of buckets of distances.</summary>
    [Range(2, 4096)] public int RelativeAttentionNumBuckets { get; init; } = 32;
    /// <summary>Distance from which on all share a bucket.</summary>
    [Range(2, 65536)] public int RelativeAttentionMaxDistance { get; init; } = 128;
    /// <summary>Activation of the feed-forward network; <c>gated-</c> in front makes it a gate.</summary>
    public string FeedForwardProj { get; init; } = "gated-gelu";
    /// <summary>Epsilon of the norms.</summary>
    [Range(0.0, 1)] public double LayerNormEpsilon { get; init; } = 1e-6;
    /// <summary>Whether the output map is the embedding table.</summary>
    public bool TieWordEmbeddings { get; init; }
    /// <summary>Whether places have embeddings, in place of biases by distance.</summary>
    public bool HasAbsolutePositionEmbeddings { get; init; }
    /// <summary>Number of such places.</summary>
    [Range(1, 1 << 24)] public int MaxPositionEmbeddings { get; init; } = 1024;
    /// <summary>Id that the decoder begins with.</summary>
    public int DecoderStartTokenId { get; init; }
    /// <summary>The encoder's layer before which bytes are deleted; one that there is not has no gate, and the model is ByT5.</summary>
    public int DeleteGateLayer { get; init; } = 2;
    /// <summary>What decides: <c>scaled_sigmoid</c>, <c>log_sigmoid</c>, or the paper's comparison <c>fixed</c>; its other, <c>random</c>, is not read.</summary>
    [AllowedValues("scaled_sigmoid", "log_sigmoid", "fixed")] public string DeletionType { get; init; } = "scaled_sigmoid";
    /// <summary>The gate of a byte that is surely deleted.</summary>
    public double SigmoidMaskScale { get; init; } = -10;
    /// <summary>Gate that a byte must be above to be kept; null is half of the scale.</summary>
    public double? DeletionThreshold { get; init; }
    /// <summary>Whether the gate has a norm.</summary>
    public bool GateLayerNorm { get; init; } = true;
    /// <summary>Whether attention may attend to nothing: one is added to the sum under the softmax.</summary>
    public bool UseSoftmax1 { get; init; }
    /// <summary>Share of each word that <c>fixed</c> deletes.</summary>
    [Range(0.0, 1)] public double FixedDeletionAmount { get; init; } = 0.5;

    /// <summary>This, where its numbers go together.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>: they do not.</exception>
    internal MrT5Config Checked(string folder) => DecoderStartTokenId >= 0 && DecoderStartTokenId < VocabSize ? this
        : throw new ModelZooException(ErrorCodes.ConfigInvalid, "The model has no such id.") { Where = Path.Combine(folder, "config.json: decoder_start_token_id"), Expected = $"0..{VocabSize - 1}", Found = $"{DecoderStartTokenId}" };

    /// <summary>True when bytes are deleted.</summary>
    internal bool HasGate => DeleteGateLayer >= 0 && DeleteGateLayer < NumLayers;

    /// <summary>Layers before the gate; none without one.</summary>
    internal int Before => HasGate ? DeleteGateLayer : 0;

    /// <summary>True when the gate has weights.</summary>
    internal bool IsLearned => HasGate && DeletionType is "scaled_sigmoid" or "log_sigmoid";

    internal double Threshold => DeletionThreshold ?? SigmoidMaskScale / 2;

    /// <summary>What of this is T5's.</summary>
    internal T5Config T5 => new()
    {
        VocabSize = VocabSize, DModel = DModel, DKv = DKv, DFf = DFf, NumLayers = NumLayers, NumHeads = NumHeads, FeedForwardProj = FeedForwardProj, LayerNormEpsilon = LayerNormEpsilon, TieWordEmbeddings = TieWordEmbeddings,
    };
}
