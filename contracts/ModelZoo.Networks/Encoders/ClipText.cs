using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Encoders;

// Learning Transferable Visual Models From Natural Language Supervision. Radford et al. arXiv:2103.00020. Layout of huggingface/transformers: CLIPTextModel and CLIPTextModelWithProjection.

/// <summary>The published <c>config.json</c> of a CLIP text encoder.</summary>
public sealed record ClipTextConfig
{
    /// <summary>Number of tokens in the vocabulary.</summary>
    [Range(1, 10_000_000)] public long VocabSize { get; init; } = 49408;
    /// <summary>Width.</summary>
    [Range(1, 65536)] public long HiddenSize { get; init; } = 512;
    /// <summary>Width of the feed-forward network.</summary>
    [Range(1, 262144)] public long IntermediateSize { get; init; } = 2048;
    /// <summary>Width of the projected text.</summary>
    [Range(1, 65536)] public long ProjectionDim { get; init; } = 512;
    /// <summary>Number of layers.</summary>
    [Range(1, 1024)] public int NumHiddenLayers { get; init; } = 12;
    /// <summary>Number of heads.</summary>
    [Range(1, 1024)] public long NumAttentionHeads { get; init; } = 8;
    /// <summary>Longest text in tokens.</summary>
    [Range(1, 1_000_000)] public long MaxPositionEmbeddings { get; init; } = 77;
    /// <summary>Activation of the feed-forward network.</summary>
    public string HiddenAct { get; init; } = "quick_gelu";
    /// <summary>Epsilon of the layer norms.</summary>
    public double LayerNormEps { get; init; } = 1e-5;
    /// <summary>Id of the first token.</summary>
    public long BosTokenId { get; init; } = 49406;
    /// <summary>Id of the end token. 2 stands in old configurations, whose end token is the one with the largest id.</summary>
    public long EosTokenId { get; init; } = 49407;
    /// <summary>Id of the padding token.</summary>
    public long? PadTokenId { get; init; } = 1;
}

/// <summary>What a CLIP text encoder gives.</summary>
/// <param name="HiddenStates">The embeddings, then the output of each layer, none of them normed: (B, N, D). Stable Diffusion XL and others take the last but one.</param>
/// <param name="LastHiddenState">The last of them after the final norm: (B, N, D).</param>
/// <param name="Pooled">Its row at the end token: (B, D).</param>
public sealed record ClipTextOutputs(IReadOnlyList<Value> HiddenStates, Value LastHiddenState, Value Pooled)
{
    /// <summary>The last hidden state but one: (B, N, D).</summary>
    public Value Penultimate => HiddenStates[^2];
}

/// <summary>CLIP's text encoder: a causal pre-norm transformer.</summary>
public static class ClipText
{
    /// <summary>Encodes texts. <paramref name="clip"/> is the scope that has <c>text_model</c> in it. ids (B, N) int64; mask (B, N) int64 with 0 for padding, or null to attend to padding, as diffusion pipelines do.</summary>
    public static ClipTextOutputs Encode(Scope clip, Value ids, ClipTextConfig config, Value? mask = null)
    {
        var text = clip["text_model"];
        return EncodeEmbeddings(text, text["embeddings.token_embedding"].Embedding(ids, config.VocabSize, config.HiddenSize), EndOfText(ids, config), config, mask);
    }

    /// <summary>Encodes words that are vectors already, for methods that learn or change them.</summary>
    /// <param name="text">The scope that has <c>embeddings</c> and <c>encoder</c> in it.</param>
    /// <param name="words">(B, N, D), without positions.</param>
    /// <param name="end">Where each text ends: (B) int64.</param>
    /// <param name="config">The published configuration.</param>
    /// <param name="mask">(B, N) int64 with 0 for padding, or null.</param>
    /// <param name="after">Changes what a layer gives, by its number; null for nothing.</param>
    public static ClipTextOutputs EncodeEmbeddings(Scope text, Value words, Value end, ClipTextConfig config, Value? mask = null, Func<int, Value, Value>? after = null)
    {
        var positions = text["embeddings.position_embedding"].Weight("weight", config.MaxPositionEmbeddings, config.HiddenSize).Take(0, words.Shape[1]);
        var h = words + positions;                                                                                                 // (B, N, D)
        var attention = new AttentionOptions { Heads = config.NumAttentionHeads, Causal = true, Bias = mask is null ? null : AttentionMasks.Padding(mask) };
        List<Value> states = [text.Stage("hidden_states_0", h)];
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            h = ClipLayers.Layer(text["encoder.layers"][i], h, attention, config.IntermediateSize, config.HiddenAct, config.LayerNormEps);
            if (after is not null) h = after(i, h);
            states.Add(text.Stage($"hidden_states_{i + 1}", h));
        }

        var last = text["final_layer_norm"].LayerNorm(h, config.LayerNormEps);
        return new(states, last, last.Pick(end));
    }

    /// <summary>The pooled text in the space that it shares with pictures. (B, D) -> (B, projection).</summary>
    public static Value Project(Scope clip, Value pooled, long projection) => clip["text_projection"].Linear(pooled, projection, bias: false);

    /// <summary>Where texts end: ids (B, N) -> (B).</summary>
    public static Value EndOfText(Value ids, ClipTextConfig config) => config.EosTokenId == 2
        ? ids.ArgMax(-1)
        : ids.Same(ids.Graph.Constant([config.EosTokenId])).Cast(Contracts.ElementType.Float32).ArgMax(-1);
}

/// <summary>What CLIP's two encoders share.</summary>
internal static class ClipLayers
{
    // x += attention(norm(x)); x += mlp(norm(x)). x (B, N, D).
    public static Value Layer(Scope layer, Value x, AttentionOptions options, long intermediate, string activation, double epsilon)
    {
        var (width, attention) = (x.Shape[-1].Size, layer["self_attn"]);
        var h = layer["layer_norm1"].LayerNorm(x, epsilon);
        x += attention["out_proj"].Linear(AttentionLayers.Attention(attention["q_proj"].Linear(h, width), attention["k_proj"].Linear(h, width), attention["v_proj"].Linear(h, width), options), width);
        return x + layer["mlp"].Mlp(layer["layer_norm2"].LayerNorm(x, epsilon), intermediate, Activations.Named(activation));
    }
}
