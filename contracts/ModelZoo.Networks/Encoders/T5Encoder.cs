using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Encoders;

// Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer. Raffel et al. arXiv:1910.10683. UniMax: Chung et al. arXiv:2304.09151.
// Layout of huggingface/transformers: T5EncoderModel and UMT5EncoderModel.

/// <summary>The published <c>config.json</c> of a T5, mT5 or UMT5 encoder. Keys that it lacks are as in the class of transformers that <see cref="ModelType"/> names.</summary>
public sealed record T5Config
{
    private readonly long? _vocabSize, _dFf, _numHeads;
    private readonly int? _numLayers;
    private readonly bool? _tieWordEmbeddings;

    /// <summary><c>t5</c>, <c>mt5</c> or <c>umt5</c>; the last has a position bias in every layer.</summary>
    public string ModelType { get; init; } = "t5";
    /// <summary>Number of tokens in the vocabulary.</summary>
    [Range(1, 10_000_000)] public long VocabSize { get => _vocabSize ?? (IsMultilingual ? 250112 : 32128); init => _vocabSize = value; }
    /// <summary>Width.</summary>
    [Range(1, 65536)] public long DModel { get; init; } = 512;
    /// <summary>Width of a head.</summary>
    [Range(1, 4096)] public long DKv { get; init; } = 64;
    /// <summary>Width of the feed-forward network.</summary>
    [Range(1, 262144)] public long DFf { get => _dFf ?? (IsMultilingual ? 1024 : 2048); init => _dFf = value; }
    /// <summary>Number of layers.</summary>
    [Range(1, 1024)] public int NumLayers { get => _numLayers ?? (IsMultilingual ? 8 : 6); init => _numLayers = value; }
    /// <summary>Number of heads.</summary>
    [Range(1, 1024)] public long NumHeads { get => _numHeads ?? (IsMultilingual ? 6 : 8); init => _numHeads = value; }
    /// <summary>Number of buckets of distances.</summary>
    [Range(2, 4096)] public int RelativeAttentionNumBuckets { get; init; } = 32;
    /// <summary>Distance from which on all share a bucket.</summary>
    [Range(2, 65536)] public int RelativeAttentionMaxDistance { get; init; } = 128;
    /// <summary>Activation of the feed-forward network; <c>gated-</c> in front makes it a gate.</summary>
    public string FeedForwardProj { get => field ?? (IsMultilingual ? "gated-gelu" : "relu"); init; }
    /// <summary>Epsilon of the norms.</summary>
    public double LayerNormEpsilon { get; init; } = 1e-6;
    /// <summary>Layers of the decoder, where the model has one; null is as many as of the encoder.</summary>
    public int? NumDecoderLayers { get; init; }

    /// <summary>Whether the output map is the embedding table. Files of transformers 5 say so of every model; there the checkpoint tells.</summary>
    public bool TieWordEmbeddings { get => _tieWordEmbeddings ?? !IsMultilingual; init => _tieWordEmbeddings = value; }

    /// <summary>Whether the output map takes states divided by the square root of the width; null is where it is the embedding table.</summary>
    public bool? ScaleDecoderOutputs { get; init; }

    /// <summary>Whether every layer has a position bias of its own.</summary>
    public bool HasBiasInEveryLayer => ModelType == "umt5";

    private bool IsMultilingual => ModelType is "mt5" or "umt5";
}

/// <summary>What a T5 encoder gives.</summary>
/// <param name="HiddenStates">The embeddings, then the output of each layer but the last: (B, N, D).</param>
/// <param name="LastHiddenState">The output after the final norm: (B, N, D).</param>
public sealed record T5Outputs(IReadOnlyList<Value> HiddenStates, Value LastHiddenState);

/// <summary>The encoder of T5 and UMT5: a pre-norm transformer without biases, with learned biases by distance in place of positions.</summary>
public static class T5Encoder
{
    /// <summary>Encodes texts. <paramref name="t5"/> is the scope that has <c>shared</c> and <c>encoder</c> in it. ids (B, N) int64; mask (B, N) int64 with 0 for padding, or null.</summary>
    public static T5Outputs Encode(Scope t5, Value ids, T5Config config, Value? mask = null)
    {
        var table = t5.Has("shared.weight") ? t5["shared"] : t5["encoder.embed_tokens"];
        return EncodeEmbeddings(t5, table.Embedding(ids, config.VocabSize, config.DModel), config, mask);
    }

    /// <summary>Encodes embeddings (B, N, D) that were made elsewhere.</summary>
    /// <param name="t5">The scope that has <c>encoder</c> in it.</param>
    /// <param name="h">Embeddings.</param>
    /// <param name="config">The published configuration.</param>
    /// <param name="mask">(B, N) int64 with 0 for padding, or null.</param>
    /// <param name="positions">Positions of the tokens where they are not 0, 1, 2...: (N) int64.</param>
    public static T5Outputs EncodeEmbeddings(Scope t5, Value h, T5Config config, Value? mask = null, Value? positions = null)
    {
        var padding = mask is null ? null : AttentionMasks.Padding(mask);
        positions ??= AttentionLayers.Range(h.Graph, h.Shape[1]);
        var relative = positions.Unsqueeze(0) - positions.Unsqueeze(1);                                                          // (N, N), key minus query
        List<Value> states = [];
        Value? bias = null;
        for (var i = 0; i < config.NumLayers; i++)
        {
            var block = t5["encoder.block"][i];
            states.Add(t5.Stage($"hidden_states_{i}", h));
            if (i == 0 || config.HasBiasInEveryLayer)
            {
                bias = block["layer.0.SelfAttention.relative_attention_bias"].T5Bias(relative, config.NumHeads, config.RelativeAttentionNumBuckets, config.RelativeAttentionMaxDistance);
                if (padding is not null) bias += padding;                                                                        // (B, heads, N, N)
            }

            h += Attention(block["layer.0.SelfAttention"], block["layer.0.layer_norm"].RmsNorm(h, config.LayerNormEpsilon), config, bias!);
            h += FeedForward(block["layer.1.DenseReluDense"], block["layer.1.layer_norm"].RmsNorm(h, config.LayerNormEpsilon), config);
        }

        h = t5["encoder.final_layer_norm"].RmsNorm(h, config.LayerNormEpsilon);
        return new(states, t5.Stage($"hidden_states_{config.NumLayers}", h));
    }

    // Scores are not scaled: the initialisation of q took care of that.
    private static Value Attention(Scope attention, Value x, T5Config config, Value bias)
    {
        var inner = config.NumHeads * config.DKv;
        Value Map(string name) => attention[name].Linear(x, inner, bias: false);
        return attention["o"].Linear(AttentionLayers.Attention(Map("q"), Map("k"), Map("v"), new() { Heads = config.NumHeads, Scale = 1, Bias = bias }), config.DModel, bias: false);
    }

    /// <summary>The feed-forward network, gated or not. <paramref name="mlp"/> is the scope that has <c>wi</c> or <c>wi_0</c> in it. x (.., D) -> (.., D).</summary>
    public static Value FeedForward(Scope mlp, Value x, T5Config config)
    {
        var gated = config.FeedForwardProj.StartsWith("gated-", StringComparison.Ordinal);
        // transformers reads "gated-gelu" as the tanh form.
        var name = gated ? config.FeedForwardProj["gated-".Length..] : config.FeedForwardProj;
        var activation = Activations.Named(gated && name == "gelu" ? "gelu_new" : name);
        var h = gated
            ? activation(mlp["wi_0"].Linear(x, config.DFf, bias: false)) * mlp["wi_1"].Linear(x, config.DFf, bias: false)
            : activation(mlp["wi"].Linear(x, config.DFf, bias: false));
        return mlp["wo"].Linear(h, config.DModel, bias: false);
    }
}
