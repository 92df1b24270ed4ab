using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The networks of newmodel.py: words to vectors, vectors to the next words' states, states to characters. B texts, T words, C characters a word, P prefixes, D width.</summary>
internal static class LearnYourTokensNetwork
{
    private const int FeedForward = 2048;

    /// <summary>
    /// Words after those of the cache. Inputs <c>idx</c> (B, T, C), <c>mask</c> (B, T), the words' lengths; outputs <c>words</c>, what the word encoder's prefixes became, and <c>net</c>, the states from which the words after
    /// them are spelled, both (B, T, P, D).
    /// </summary>
    public static void Words(Scope model, LearnYourTokensConfig config, int characters, int canvas)
    {
        var (g, batch, count, prefixes, width) = (model.Graph, Dim.Symbol("batch"), Dim.Symbol("words"), config.NumPrefix, config.NEmbd);
        var (idx, lengths) = (g.Input("idx", ElementType.Int64, [batch, count, canvas]), g.Input("mask", ElementType.Int64, [batch, count]));
        var places = canvas + prefixes;
        // As published, the prefixes' ids are those behind the canvas, among the characters'.
        var prefix = g.Constant<long>([.. Enumerable.Range(canvas, prefixes).Select(id => (long)id)], 1, 1, prefixes).Expand(batch, count, prefixes);
        var x = Characters(model, ValueShape.Concat(2, prefix, idx).Reshape(batch * count, places), config, characters, 0);
        var padding = AttentionLayers.Range(g, places).Reshape(1, -1).Greater((lengths + prefixes).Reshape(batch * count, 1));
        // As published, padding but its first place is hidden from padding alone.
        var bias = AttentionMasks.Where(padding.Unsqueeze(2).And(padding.Unsqueeze(1)).Not()).Unsqueeze(1);             // (B T, 1, C + P, C + P)
        for (var i = 0; i < config.NE2eLayer; i++) x = EncoderLayer(model["wordenc.layers"][i], x, bias, config);
        var words = x.Take(1, prefixes).Reshape(batch, count, prefixes, width);
        g.Output("words", words);
        var cache = new KeyValueCache(g, batch, count * prefixes, config.NHead, width / config.NHead);
        var h = words.Reshape(batch, count * prefixes, width) + model.Weight("word_pe", 1, config.BlockSize * prefixes, width).Squeeze(0).Gather(cache.Positions);
        g.Output("net", Blocks(model, h, config, cache).Reshape(batch, count, prefixes, width));
    }

    /// <summary>Characters of words from the states before them. Inputs <c>net</c> (R, P, D), <c>idx</c> (R, n); output <c>logits</c> (R, n + 1, V), of each character given those before it and of one more.</summary>
    public static void Spell(Scope model, LearnYourTokensConfig config, int characters)
    {
        var (g, rows, prefixes, width) = (model.Graph, Dim.Symbol("rows"), config.NumPrefix, config.NEmbd);
        var (net, idx) = (g.Input("net", [rows, prefixes, width]), g.Input("idx", ElementType.Int64, [rows, Dim.Symbol("characters")]));
        var x = ValueShape.Concat(1, net, Characters(model, idx, config, characters, prefixes));
        // As published, the places are added to characters a second time.
        x += Places(model, config).Take(0, x.Shape[1]);
        for (var i = 0; i < config.NE2eLayer; i++) x = Block(model["decoder_blocks"][i], x, config, Causal);
        g.Output("logits", model["head"].Linear(x.From(1, prefixes - 1), characters, bias: false));
    }

    /// <summary>Without prefixes: characters after those of the cache, which have no places. Input <c>idx</c> (B, n), output <c>logits</c> (B, n, V).</summary>
    public static void Plain(Scope model, LearnYourTokensConfig config, int characters)
    {
        var (g, batch, count) = (model.Graph, Dim.Symbol("batch"), Dim.Symbol("characters"));
        var x = model["in_emb"].Embedding(g.Input("idx", ElementType.Int64, [batch, count]), characters, config.NEmbd);
        var cache = new KeyValueCache(g, batch, count, config.NHead, config.NEmbd / config.NHead);
        g.Output("logits", model["head"].Linear(Blocks(model, x, config, cache), characters, bias: false));
    }

    // Rows of the table at places from start on. ids (R, n) -> (R, n, D).
    private static Value Characters(Scope model, Value ids, LearnYourTokensConfig config, int characters, int start) =>
        model["in_emb"].Embedding(ids, characters + config.NumPrefix, config.NEmbd) + Places(model, config).Slice(0, start, start + ids.Shape[1]);

    private static Value Places(Scope model, LearnYourTokensConfig config) => model.Weight("in_pe", 1, config.CanvasSize + config.NumPrefix, config.NEmbd).Squeeze(0);

    private static Value Blocks(Scope model, Value x, LearnYourTokensConfig config, KeyValueCache cache)
    {
        for (var i = 0; i < config.NLayer; i++) x = Block(model["blocks"][i], x, config, (q, k, v, options) => cache.Attention(i, q, k, v, options));
        return model["ln_f"].LayerNorm(x);
    }

    // minGPT's: norms before.
    private static Value Block(Scope block, Value x, LearnYourTokensConfig config, Func<Value, Value, Value, AttentionOptions, Value> look)
    {
        var (attention, width, normed) = (block["attn"], config.NEmbd, block["ln1"].LayerNorm(x));
        var seen = look(attention["query"].Linear(normed, width), attention["key"].Linear(normed, width), attention["value"].Linear(normed, width), new() { Heads = config.NHead, Causal = true });
        x += attention["proj"].Linear(seen, width);
        return x + block["mlp"].Mlp(block["ln2"].LayerNorm(x), 4 * width, static value => value.Gelu(), "0", "2");
    }

    private static Value Causal(Value q, Value k, Value v, AttentionOptions options) => AttentionLayers.Attention(q, k, v, options);

    // PyTorch's own: norms behind.
    private static Value EncoderLayer(Scope layer, Value x, Value bias, LearnYourTokensConfig config)
    {
        x = layer["norm1"].LayerNorm(x + layer["self_attn"].MultiheadSelfAttention(x, config.NE2eHead, bias));
        var hidden = layer.IsInventory ? FeedForward : layer["linear1"].ShapeOf("weight")[0];
        return layer["norm2"].LayerNorm(x + layer.Mlp(x, hidden, static value => value.Relu(), "linear1", "linear2"));
    }
}
