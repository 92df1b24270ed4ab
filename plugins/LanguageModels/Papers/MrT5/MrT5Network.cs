using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>T5 cut where bytes are deleted: the encoder's layers before the gate, those after it on what is left, and the decoder. Biases of keys (B, N) are added to all scores: 0, what the gate says, or what masks.</summary>
internal static class MrT5Network
{
    /// <summary>The layers before the gate. ids (B, N), keys (B, N) -> (B, N, D).</summary>
    public static Value Before(Scope t5, Value ids, Value keys, MrT5Config config)
    {
        var x = Embed(t5, "encoder", ids, config);
        var positions = AttentionLayers.Range(ids.Graph, ids.Shape[1]).Unsqueeze(0);
        return config.Before == 0 ? x : Blocks(t5, x, 0, config.Before, Bias(t5, positions, config), keys, config);
    }

    /// <summary>What the gate computes for each byte, before its sigmoid. x (B, N, D) -> (B, N, 1).</summary>
    public static Value Gate(Scope t5, Value x, MrT5Config config)
    {
        const double Epsilon = 1e-6;
        var gate = t5["encoder.block"][config.DeleteGateLayer]["delete_gate"];
        return gate["feed_forward"].Linear(config.GateLayerNorm ? gate["layer_norm"].RmsNorm(x, Epsilon) : x, 1);
    }

    /// <summary>The layers after the gate. x (B, M, D), positions (B, M) of what is left, keys (B, M) -> (B, M, D).</summary>
    public static Value After(Scope t5, Value x, Value positions, Value keys, MrT5Config config) =>
        t5["encoder.final_layer_norm"].RmsNorm(Blocks(t5, x, config.Before, config.NumLayers, Bias(t5, positions, config), keys, config), config.LayerNormEpsilon);

    /// <summary>The decoder. ids (B, L), real (B, L): 0 for padding, states (B, M, D), keys (B, M) -> logits (B, L, V).</summary>
    public static Value Decode(Scope t5, Value ids, Value real, Value states, Value keys, MrT5Config config)
    {
        var (g, length) = (ids.Graph, ids.Shape[1]);
        var x = Embed(t5, "decoder", ids, config);
        var before = AttentionMasks.Distance(g, length, length).GreaterOrEqual(g.Constant([0L]));
        var bias = AttentionMasks.Where(before.And(real.Cast(ElementType.Bool).Unsqueeze(1, 2)));                         // (B, 1, L, L)
        if (!config.HasAbsolutePositionEmbeddings)
            bias += t5["decoder.block.0.layer.0.SelfAttention.relative_attention_bias"].T5Bias(length, length, config.NumHeads, config.RelativeAttentionNumBuckets, config.RelativeAttentionMaxDistance, bidirectional: false);
        var cross = keys.Unsqueeze(1, 2);
        for (var i = 0; i < (config.NumDecoderLayers ?? config.NumLayers); i++)
        {
            var layer = t5["decoder.block"][i]["layer"];
            var own = layer[0]["layer_norm"].RmsNorm(x, config.LayerNormEpsilon);
            x += Attend(layer[0]["SelfAttention"], own, own, bias, config);
            x += Attend(layer[1]["EncDecAttention"], layer[1]["layer_norm"].RmsNorm(x, config.LayerNormEpsilon), states, cross, config);
            x += T5Encoder.FeedForward(layer[2]["DenseReluDense"], layer[2]["layer_norm"].RmsNorm(x, config.LayerNormEpsilon), config.T5);
        }

        return T5Decoder.Project(t5, t5["decoder.final_layer_norm"].RmsNorm(x, config.LayerNormEpsilon), config.T5);
    }

    private static Value Embed(Scope t5, string stack, Value ids, MrT5Config config)
    {
        var x = t5["shared"].Embedding(ids, config.VocabSize, config.DModel);
        return config.HasAbsolutePositionEmbeddings ? x + t5[stack]["absolute_pos_embed"].Weight("weight", config.MaxPositionEmbeddings, config.DModel).Take(0, ids.Shape[1]) : x;
    }

    // Biases by distance between the positions that bytes had before any was deleted: (1 or B, heads, N, N); null where places have embeddings.
    private static Value? Bias(Scope t5, Value positions, MrT5Config config) => config.HasAbsolutePositionEmbeddings ? null
        : t5["encoder.block.0.layer.0.SelfAttention.relative_attention_bias"].T5Bias(positions.Unsqueeze(1) - positions.Unsqueeze(2), config.NumHeads, config.RelativeAttentionNumBuckets, config.RelativeAttentionMaxDistance);

    private static Value Blocks(Scope t5, Value x, int first, int end, Value? distances, Value keys, MrT5Config config)
    {
        var bias = distances is null ? keys.Unsqueeze(1, 2) : distances + keys.Unsqueeze(1, 2);
        for (var i = first; i < end; i++)
        {
            var layer = t5["encoder.block"][i]["layer"];
            var own = layer[0]["layer_norm"].RmsNorm(x, config.LayerNormEpsilon);
            x += Attend(layer[0]["SelfAttention"], own, own, bias, config);
            x += T5Encoder.FeedForward(layer[1]["DenseReluDense"], layer[1]["layer_norm"].RmsNorm(x, config.LayerNormEpsilon), config.T5);
        }

        return x;
    }

    // Scores are not scaled. With one more under the softmax there is a key whose score, and whose value, is nothing.
    private static Value Attend(Scope attention, Value x, Value from, Value bias, MrT5Config config)
    {
        var inner = config.NumHeads * config.DKv;
        Value Map(string name, Value states) => attention[name].Linear(states, inner, bias: false);
        var (k, v) = (Map("k", from), Map("v", from));
        if (config.UseSoftmax1) (k, v, bias) = (k.Pad(1, 0, 1), v.Pad(1, 0, 1), bias.Pad(-1, 0, 1));
        return attention["o"].Linear(AttentionLayers.Attention(Map("q", x), k, v, new() { Heads = config.NumHeads, Scale = 1, Bias = bias }), config.DModel, bias: false);
    }
}
