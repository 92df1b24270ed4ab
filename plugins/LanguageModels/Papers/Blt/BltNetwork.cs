using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The parts of BLT. Scopes are those of transformers' checkpoint: <c>model.patcher</c>, <c>model.local_encoder</c>, <c>model.global_transformer</c>, <c>model.local_decoder</c>.</summary>
internal static class BltNetwork
{
    // A score that is larger than this is one: what no byte of a patch set is smaller.
    private const double Least = -3e38;

    /// <summary>What the small language model expects next. ids (B, N) -> logits (B, N, V).</summary>
    public static Value Predict(Scope patcher, Value ids, BltPatcherConfig config, KeyValueCache? cache = null)
    {
        var x = patcher["embed_tokens"].Embedding(ids, config.VocabSize, config.HiddenSize);
        return patcher["lm_head"].Linear(patcher["norm"].RmsNorm(Stack(patcher, x, config, new(cache)), config.RmsNormEps), config.VocabSize, bias: false);
    }

    /// <summary>Entropies, in nats. logits (B, N, V) -> (B, N).</summary>
    public static Value Entropies(Value logits)
    {
        var information = logits.LogSoftmax();
        return -(information.Exp() * information).Sum(-1);
    }

    /// <summary>Bytes with the runs of bytes that end at them. ids (B, N), rows (B, N, tables) -> (B, N, D).</summary>
    public static Value Embed(Scope model, Value ids, Value rows, BltConfig config)
    {
        var (width, vocabulary) = (config.EncoderConfig.HiddenSize, config.EncoderHashByteGroupVocab);
        var x = model["local_encoder.embed_tokens"].Embedding(ids, config.EncoderConfig.VocabSize, width);
        // One table after the other, or each by itself as the authors publish them; rows are read where they are stored.
        var tables = model["encoder_hash_tok_embedding"];
        var fused = tables.Has("weight") ? tables.Stored("weight", (long)vocabulary * config.HashTables, width) : null;
        for (var i = 0; i < config.HashTables; i++)
        {
            var table = fused?.Rows((long)i * vocabulary, vocabulary) ?? tables[i].Stored("weight", vocabulary, width);
            x += model.Graph.Weight($"{tables.Path}.{i}.weight", table, tables.Path).Gather(rows.At(-1, i)).Cast(ElementType.Float32);
        }

        return x;
    }

    /// <summary>The encoder's transformer over bytes. x (B, N, D) -> (B, N, D).</summary>
    public static Value Encode(Scope encoder, Value x, BltEncoderConfig config, BltSight sight) => Stack(encoder, x, config, sight);

    /// <summary>
    /// Patches of the encoder's states (section 3.2.2): the largest of each channel, mapped to some vectors, which then look at the patch's bytes. A patch without bytes looks at all of them alike. states (B, N, D), owners (B, N): the
    /// patch of each byte, numbers (B, P): 0, 1, 2.. -> (B, P, k D). Of several cross attentions the last one's result is all that goes on.
    /// </summary>
    public static Value Pool(Scope encoder, Value states, Value owners, Value numbers, BltEncoderConfig config)
    {
        var (g, batch, length, patches, width, k) = (states.Graph, states.Shape[0], states.Shape[1], numbers.Shape[1], (long)config.HiddenSize, (long)config.CrossAttnK);
        var least = g.Scalar(ElementType.Float32, Least).Expand(batch, patches, width);
        var pooled = g.Node(encoder.Path, "ScatterElements", [least, owners.Unsqueeze(2).Expand(batch, length, width), states], ElementType.Float32, [batch, patches, width], ("axis", 1L), ("reduction", "max"));
        pooled = pooled.Greater(least).Where(pooled, g.Scalar(ElementType.Float32, 0));
        var queries = encoder["patch_embedding_projection"].Linear(pooled, k * width, bias: false).Reshape(batch, patches * k, width);
        var owned = numbers.Unsqueeze(2).RepeatInterleave(1, k).Same(owners.Unsqueeze(1)).Unsqueeze(1);                  // (B, 1, P k, N)
        var cross = encoder["cross_attn_layers"][config.CrossAttnAllLayers ? config.NumHiddenLayers - 1 : 0];
        var q = cross["q_proj"].Linear(cross["q_norm"].RmsNorm(queries, config.RmsNormEps), width, bias: false);
        var (keys, values) = KeysAndValues(cross, states, config);
        var seen = AttentionLayers.Attention(q, keys, values, new() { Heads = config.NumAttentionHeads, KeyValueHeads = config.KeyValueHeads, Bias = AttentionMasks.Where(owned) });
        // The layer has a residual of its own, inside the one around it.
        return (cross["o_proj"].Linear(seen, width, bias: false) + queries + queries).Reshape(batch, patches, k * width);
    }

    /// <summary>The large transformer over patches. x (B, P, k D) -> (B, P, Dg).</summary>
    public static Value Globalize(Scope scope, Value x, BltGlobalConfig config, KeyValueCache? cache = null)
    {
        if (x.Shape[-1] != config.HiddenSize) x = scope["token_embedding_projection"].Linear(x, config.HiddenSize, bias: false);
        return Stack(scope, x, config, new(cache));
    }

    /// <summary>The decoder (section 3.3): bytes look at one patch each, and at bytes before. states (B, N, D), patches (B, P, Dg), spread: takes what there is of each patch to the bytes that look at it, (B, P, W) -> (B, N, W) -> (B, N, D).</summary>
    public static Value Decode(Scope decoder, Value states, Value patches, Func<Value, Value> spread, BltDecoderConfig config, BltSight sight)
    {
        var (width, k) = ((long)config.HiddenSize, (long)config.CrossAttnK);
        var vectors = decoder["patch_embedding_projection"].Linear(patches, k * width, bias: false).Reshape(patches.Shape[0], patches.Shape[1] * k, width);
        Value Look(int layer, Value x) => layer == 0 || config.CrossAttnAllLayers ? x + Cross(decoder["cross_attn_layers"][layer], x, vectors, spread, config) : x;
        return decoder["norm"].RmsNorm(Stack(decoder, states, config, sight, Look), config.RmsNormEps);
    }

    /// <summary>states (B, N, D) -> logits (B, N, V).</summary>
    public static Value Logits(Scope root, Value states, BltConfig config)
    {
        var embedding = root["model.local_encoder.embed_tokens"];
        return config.TieWordEmbeddings && !root["lm_head"].Has("weight")
            ? embedding.Linear(states, embedding.Weight("weight", config.VocabSize, config.EncoderConfig.HiddenSize), null)
            : root["lm_head"].Linear(states, config.VocabSize, bias: false);
    }

    // Each byte looks at the k vectors of its patch: a softmax over k, written out. x (B, N, D), vectors (B, P k, D) -> (B, N, D), its own residual included.
    private static Value Cross(Scope cross, Value x, Value vectors, Func<Value, Value> spread, BltDecoderConfig config)
    {
        var (batch, length, k, shared, width) = (x.Shape[0], x.Shape[1], config.CrossAttnK, config.NumAttentionHeads / config.KeyValueHeads, config.HeadWidth);
        var (keys, values) = KeysAndValues(cross, vectors, config);
        Value OfBytes(Value ofVectors) => spread(ofVectors.Reshape(batch, -1, k * ofVectors.Shape[-1])).Reshape(batch, length, k, config.KeyValueHeads, 1, width);
        var q = cross["q_proj"].Linear(cross["q_norm"].RmsNorm(x, config.RmsNormEps), config.HiddenSize, bias: false).Reshape(batch, length, 1, config.KeyValueHeads, shared, width);
        var scores = (q * OfBytes(keys)).Sum(-1, keep: true) * (1 / Math.Sqrt(width));                                     // (B, N, k, kvHeads, shared, 1)
        var seen = (scores.Softmax(2) * OfBytes(values)).Sum(2);                                                          // (B, N, kvHeads, shared, W)
        return cross["o_proj"].Linear(seen.Reshape(batch, length, config.HiddenSize), config.HiddenSize, bias: false) + x;
    }

    private static (Value Keys, Value Values) KeysAndValues(Scope cross, Value x, BltStackConfig config)
    {
        var (normed, width) = (cross["k_norm"].RmsNorm(x, config.RmsNormEps), (long)config.KeyValueHeads * config.HeadWidth);
        return (cross["k_proj"].Linear(normed, width, bias: false), cross["v_proj"].Linear(normed, width, bias: false));
    }

    // LLaMA's blocks, whose rotary positions turn neighbouring channels. A look goes before each.
    private static Value Stack(Scope scope, Value x, BltStackConfig config, BltSight sight, Func<int, Value, Value>? look = null)
    {
        var (cos, sin) = config.Rotary.Angles(sight.Cache?.Positions ?? sight.Positions ?? AttentionLayers.Range(x.Graph, x.Shape[1]).Unsqueeze(0), oneByOne: sight.Cache is not null);
        var seen = sight.Real is null ? null : Seen(sight.Real, config.Window);
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            if (look is not null) x = look(i, x);
            var layer = scope["layers"][i];
            x += Attend(layer["self_attn"], layer["input_layernorm"].RmsNorm(x, config.RmsNormEps), cos, sin, config, sight.Cache, seen, i);
            x += layer["mlp"].GatedMlp(layer["post_attention_layernorm"].RmsNorm(x, config.RmsNormEps), config.Intermediate, Activations.Named(config.HiddenAct));
        }

        return x;
    }

    // No byte looks at padding, or at what comes later or lies before its window; one that nothing is left for looks at all alike. real (B, N) -> (B, 1, N, N).
    private static Value Seen(Value real, int? window)
    {
        var (g, length) = (real.Graph, real.Shape[1]);
        var distance = AttentionMasks.Distance(g, length, length);
        var seen = distance.GreaterOrEqual(g.Constant([0L]));
        if (window is { } most) seen = seen.And(distance.Less(g.Constant([(long)most])));
        return AttentionMasks.Where(seen.And(real.Cast(ElementType.Bool).Unsqueeze(1, 2)));
    }

    private static Value Attend(Scope attention, Value x, Value cos, Value sin, BltStackConfig config, KeyValueCache? cache, Value? seen, int layer)
    {
        var (heads, keyHeads, width) = (config.NumAttentionHeads, config.KeyValueHeads, config.HeadWidth);
        Value Map(string name, int count) => attention[name].Linear(x, (long)count * width, bias: false);
        var (q, k, v) = (Map("q_proj", heads).Rotary(heads, cos, sin, interleaved: true), Map("k_proj", keyHeads).Rotary(keyHeads, cos, sin, interleaved: true), Map("v_proj", keyHeads));
        var options = new AttentionOptions { Heads = heads, KeyValueHeads = keyHeads, Causal = seen is null, Window = seen is null ? config.Window : null, Bias = seen };
        return attention["o_proj"].Linear(cache is not null ? cache.Attention(layer, q, k, v, options) : AttentionLayers.Attention(q, k, v, options), config.HiddenSize, bias: false);
    }
}

/// <summary>What places look at: those before them, in the same run or in a cache.</summary>
/// <param name="Cache">Keys and values of the places before; null when all are in the run.</param>
/// <param name="Real">0 for padding, which is not looked at (B, N); null for none.</param>
/// <param name="Positions">Places in the sequence (B, N) or (1, N), without a cache; null counts from 0.</param>
internal sealed record BltSight(KeyValueCache? Cache = null, Value? Real = null, Value? Positions = null);
