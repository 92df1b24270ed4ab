namespace ModelZoo.Networks.Encoders;

/// <summary>The decoder of T5 (Raffel et al., arXiv:1910.10683): causal self-attention with biases by distance, attention to the encoder without any.</summary>
public static class T5Decoder
{
    /// <summary>
    /// Decodes prefixes. <paramref name="t5"/> is the scope that has <c>shared</c> and <c>decoder</c> in it. ids (B beams, L) int64; states (B, N, D) of the encoder, each for <paramref name="beams"/> prefixes in a row;
    /// mask (B, N) int64 with 0 for padding. Gives logits (B beams, L, V).
    /// </summary>
    public static Value Logits(Scope t5, Value ids, Value states, Value mask, T5Config config, long beams = 1)
    {
        var h = DecodeEmbeddings(t5, t5["shared"].Embedding(ids, config.VocabSize, config.DModel), states, mask, config, beams);
        return Project(t5, h, config);
    }

    /// <summary>The output map: states (.., D) -> logits (.., V). <paramref name="t5"/> is the scope that has <c>shared</c>, or <c>lm_head</c>, in it.</summary>
    public static Value Project(Scope t5, Value h, T5Config config)
    {
        // Transformers 5 ties whatever the flag says unless the checkpoint stores a map; the flag then means the scale only.
        var scaled = config.ScaleDecoderOutputs ?? config.TieWordEmbeddings;
        var head = !(scaled && config.TieWordEmbeddings) && t5.Has("lm_head.weight") ? "lm_head" : "shared";
        return t5[head].Linear(scaled ? h * Math.Pow(config.DModel, -0.5) : h, config.VocabSize, bias: false);
    }

    /// <summary>Decodes embeddings (B beams, L, D) to states after the final norm (B beams, L, D).</summary>
    /// <param name="t5">The scope that has <c>decoder</c> in it.</param>
    /// <param name="h">Embeddings.</param>
    /// <param name="states">The encoder's states.</param>
    /// <param name="mask">1 for the encoder's tokens, 0 for padding.</param>
    /// <param name="config">The published configuration.</param>
    /// <param name="beams">Prefixes for each of the encoder's rows.</param>
    /// <param name="bias">Bias of self-attention in place of the learned, causal one: (1, heads, L, L).</param>
    public static Value DecodeEmbeddings(Scope t5, Value h, Value states, Value mask, T5Config config, long beams = 1, Value? bias = null)
    {
        var length = h.Shape[1];
        var cross = AttentionMasks.Padding(mask).RepeatInterleave(0, beams).Expand(h.Shape[0], 1, length, states.Shape[1]);
        for (var i = 0; i < (config.NumDecoderLayers ?? config.NumLayers); i++)
        {
            var block = t5["decoder.block"][i];
            bias ??= block["layer.0.SelfAttention.relative_attention_bias"].T5Bias(length, length, config.NumHeads, config.RelativeAttentionNumBuckets, config.RelativeAttentionMaxDistance, bidirectional: false)
                + AttentionMasks.Causal(h.Graph, length, length);
            var x = block["layer.0.layer_norm"].RmsNorm(h, config.LayerNormEpsilon);
            h += Attention(block["layer.0.SelfAttention"], x, x, config, bias, 1);
            h += Attention(block["layer.1.EncDecAttention"], block["layer.1.layer_norm"].RmsNorm(h, config.LayerNormEpsilon), states, config, cross, beams);
            h += T5Encoder.FeedForward(block["layer.2.DenseReluDense"], block["layer.2.layer_norm"].RmsNorm(h, config.LayerNormEpsilon), config);
            t5.Stage($"decoder_block_{i}", h);
        }

        return t5["decoder.final_layer_norm"].RmsNorm(h, config.LayerNormEpsilon);
    }

    private static Value Attention(Scope attention, Value x, Value keys, T5Config config, Value bias, long beams)
    {
        var inner = config.NumHeads * config.DKv;
        Value Map(string name, Value from) => attention[name].Linear(from, inner, bias: false);
        // Keys and values are computed once and shared by the prefixes of a row.
        var (q, k, v) = (Map("q", x), Map("k", keys).RepeatInterleave(0, beams), Map("v", keys).RepeatInterleave(0, beams));
        return attention["o"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = config.NumHeads, Scale = 1, Bias = bias }), config.DModel, bias: false);
    }
}
