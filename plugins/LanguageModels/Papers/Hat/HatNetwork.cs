using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The parts of HAT as networks: how many words a text has is known when it is cut. Encoder, backbone and decoder go on from states.</summary>
internal static class HatNetwork
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<Action<Scope>> Parts(HatConfig config) => [scope => Encoder(scope, config), scope => Connector(scope, config), scope => Backbone(scope, config), scope => Decoder(scope, config)];

    /// <summary>Bytes with those before them. input_ids (B, L) -> hidden_states (B, L, D).</summary>
    public static void Encoder(Scope hat, HatConfig config)
    {
        var (g, states, layers) = (hat.Graph, new LayerStates(hat.Graph), config.EncoderConfig);
        var x = hat["encoder.embedding_layer"].Embedding(g.Input("input_ids", ElementType.Int64, [states.Batch, states.Length]), layers.VocabSize, layers.HiddenSize);
        var rotary = layers.Rotary.Angles(states.Places());
        for (var i = 0; i < layers.NumHiddenLayers; i++) x = hat.Stage($"encoder_{i}", Layer(hat["encoder.layers"][i], x, layers, rotary, states));
        g.Output("hidden_states", x);
        states.Finish();
    }

    /// <summary>
    /// A word's bytes to its embedding: one trained query looks at them, turned by the word's place in the text as they are by theirs. hidden_states (W, T, D) with mask (W, T), byte_position_ids (W, T), word_position_ids (W) -> words (W, backbone's D).
    /// </summary>
    public static void Connector(Scope hat, HatConfig config)
    {
        var (g, layers, cross, count, longest) = (hat.Graph, config.EncoderConfig, config.EncoderConfig.CrossAttentionConfig!, Dim.Symbol("words"), Dim.Symbol("longest"));
        var attention = hat["encoder_connector.cross_attention_encoder_connector"];
        var bytes = g.Input("hidden_states", [count, longest, layers.HiddenSize]);
        var mask = AttentionMasks.Padding(g.Input("mask", [count, longest]));
        var (byteCos, byteSin) = layers.Rotary.Angles(g.Input("byte_position_ids", ElementType.Int64, [count, longest]));
        var (wordCos, wordSin) = layers.Rotary.Angles(g.Input("word_position_ids", ElementType.Int64, [count]).Unsqueeze(1));
        var width = config.BackboneConfig.HiddenSize;
        var query = hat.Weight("encoder_connector.latent_query", 1, 1, width);
        var narrow = cross.HiddenSize / cross.NumAttentionHeads * cross.AttentionNumKvHeads;
        var q = attention["q_proj"].Linear(query, cross.HiddenSize, bias: false);
        var k = attention["k_proj"].Linear(bytes, narrow, bias: false);
        if (cross.KeyQueryNorm) (q, k) = Normed(attention, q, k, cross.NumAttentionHeads, cross.AttentionNumKvHeads, cross.KeyQueryNormPerHead, layers.RmsNormEps);
        q = q.Expand(count, 1, cross.HiddenSize).Rotary(cross.NumAttentionHeads, wordCos, wordSin);
        var looked = AttentionLayers.Attention(q, k.Rotary(cross.AttentionNumKvHeads, byteCos, byteSin), attention["v_proj"].Linear(bytes, narrow, bias: false), new() { Heads = cross.NumAttentionHeads, KeyValueHeads = cross.AttentionNumKvHeads, Bias = mask });
        g.Output("words", attention["o_proj"].Linear(looked, width, bias: false).Squeeze(1));
    }

    /// <summary>Words with those before them. hidden_states (B, W, D) -> words (B, W, D).</summary>
    public static void Backbone(Scope hat, HatConfig config)
    {
        var (g, states, layers) = (hat.Graph, new LayerStates(hat.Graph), config.BackboneConfig);
        var x = g.Input("hidden_states", [states.Batch, states.Length, layers.HiddenSize]);
        var rotary = layers.Rotary.Angles(states.Places());
        for (var i = 0; i < layers.NumHiddenLayers; i++) x = hat.Stage($"backbone_{i}", Layer(hat["backbone.layers"][i], x, layers, rotary, states));
        g.Output("words", x);
        states.Finish();
    }

    /// <summary>
    /// Bytes, with what the backbone made of the words before theirs. hidden_states (B, L, D), words (B, W, backbone's D), word_of (B, L): the row of words for each byte -> logits (B, L, V).
    /// Attention to one word gives that word whatever is asked, so that queries and keys (and their norms) are not needed.
    /// </summary>
    public static void Decoder(Scope hat, HatConfig config)
    {
        var (g, states, layers, cross) = (hat.Graph, new LayerStates(hat.Graph), config.DecoderConfig, config.DecoderConfig.CrossAttentionConfig!);
        var x = g.Input("hidden_states", [states.Batch, states.Length, layers.HiddenSize]);
        var words = g.Input("words", [states.Batch, Dim.Symbol("words"), config.BackboneConfig.HiddenSize]);
        var wordOf = g.Input("word_of", ElementType.Int64, [states.Batch, states.Length]);
        var rotary = layers.Rotary.Angles(states.Places());
        for (var i = 0; i < layers.NumHiddenLayers; i++)
        {
            var block = hat["decoder.decoder_layers"][i];
            if (layers.CrossAttnEveryLayer || i == 0) x += Looked(block, words, wordOf, layers, cross);
            x = hat.Stage($"decoder_{i}", Layer(block["llama_layer"], x, layers, rotary, states));
        }

        g.Output("logits", hat["lm_head"].Linear(hat["layer_norm"].RmsNorm(x, layers.RmsNormEps), layers.VocabSize, bias: false));
        states.Finish();
    }

    private static Value Looked(Scope block, Value words, Value wordOf, HatLayersConfig layers, HatCrossAttentionConfig cross)
    {
        var width = cross.HiddenSize / cross.NumAttentionHeads;
        var values = block["cross_attention.v_proj"].Linear(block["kv_norm"].RmsNorm(words, layers.RmsNormEps), width * cross.AttentionNumKvHeads, bias: false);
        var shared = values.Reshape(values.Shape[0], values.Shape[1], cross.AttentionNumKvHeads, width).RepeatInterleave(2, cross.NumAttentionHeads / cross.AttentionNumKvHeads).Flatten(2);
        var looked = block["cross_attention.o_proj"].Linear(shared, layers.HiddenSize, bias: false);                       // (B, W, D)
        return looked.GatherElements(wordOf.Unsqueeze(2).Expand(wordOf.Shape[0], wordOf.Shape[1], layers.HiddenSize), 1);
    }

    // A layer of LLaMA.
    private static Value Layer(Scope layer, Value x, HatLayersConfig config, (Value Cos, Value Sin) rotary, LayerStates states)
    {
        x += Attention(layer["self_attn"], layer["input_layernorm"].RmsNorm(x, config.RmsNormEps), config, rotary, states);
        return x + layer["mlp"].GatedMlp(layer["post_attention_layernorm"].RmsNorm(x, config.RmsNormEps), config.IntermediateSize, gate => gate.Silu(), bias: config.MlpBias);
    }

    private static Value Attention(Scope attention, Value x, HatLayersConfig config, (Value Cos, Value Sin) rotary, LayerStates states)
    {
        var (heads, keyHeads) = (config.NumAttentionHeads, config.KeyValueHeads);
        var narrow = config.HiddenSize / heads * keyHeads;
        var (q, k, v) = (attention["q_proj"].Linear(x, config.HiddenSize, bias: false), attention["k_proj"].Linear(x, narrow, bias: false), attention["v_proj"].Linear(x, narrow, bias: false));
        if (config.KeyQueryNorm) (q, k) = Normed(attention, q, k, heads, keyHeads, config.KeyQueryNormPerHead, config.RmsNormEps);
        (q, k) = (q.Rotary(heads, rotary.Cos, rotary.Sin), k.Rotary(keyHeads, rotary.Cos, rotary.Sin));
        var (keys, values) = (states.Extend("keys", k, config.SlidingWindow), states.Extend("values", v, config.SlidingWindow));
        var seen = states.Mask(keys.Shape[1], config.SlidingWindow);
        return attention["o_proj"].Linear(AttentionLayers.Attention(q, keys, values, new() { Heads = heads, KeyValueHeads = keyHeads, Bias = seen }), config.HiddenSize, bias: false);
    }

    private static (Value Q, Value K) Normed(Scope attention, Value q, Value k, long heads, long keyHeads, bool perHead, double epsilon)
    {
        Value Norm(string name, Value x, long count) => perHead
            ? attention[name].RmsNorm(x.Reshape(x.Shape[0], x.Shape[1], count, x.Shape[2].Size / count), epsilon).Flatten(2)
            : attention[name].RmsNorm(x, epsilon);
        return (Norm("norm_query", q, heads), Norm("norm_key", k, keyHeads));
    }
}
