// CAD-Tokenizer: Towards Text-based CAD Prototyping via Modality-Specific Tokenization, arXiv:2509.21150: the networks.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.LanguageModels;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Sizes of the sequence VQ-VAE and of the language model; keys as in config.json.</summary>
internal sealed record CadConfig(
    int Vocabulary, int Width, int Heads, int Depth, int CodeWidth, int Codes, int CodesPerPrimitive, int MaxLength, int MaxPrimitives,
    LlamaConfig Llm)
{
    public static CadConfig Read(ModelSource source)
    {
        var vq = source.Json("config.json").Member("vq");
        int Vq(string key) => vq.Member(key).AsInt();
        return new(
            Vq("vocab_size"), Vq("width"), Vq("heads"), Vq("depth"), Vq("code_dim"), Vq("codes"), Vq("codes_per_primitive"), Vq("max_length"), Vq("max_primitives"), PublishedConfig.Read<LlamaConfig>(source.PathOf("config.json"), "llm").Value);
    }

    /// <summary>Text ids.</summary>
    public int TextVocabulary => Llm.VocabSize;

    /// <summary>Text ids, codes, and the end of a program.</summary>
    public int LanguageVocabulary => TextVocabulary + Codes + 1;
}

/// <summary>The encoder and decoder of CAD sequences, and a Llama that reads and writes their codes.</summary>
internal static class CadNetworks
{
    /// <summary>ids (B, n), keep (B, n) 0 for padding, pooling (B, k, n) whose rows average a primitive's tokens -> latent (B, k q D).</summary>
    public static void Encoder(Scope root, CadConfig config)
    {
        var (g, vq) = (root.Graph, root["vq"]);
        var (b, n, k) = (Dim.Symbol("B"), Dim.Symbol("N"), Dim.Symbol("K"));
        var x = Embed(vq, g.Input("ids", ElementType.Int64, [b, n]), config);
        var padding = AttentionMasks.Padding(g.Input("keep", ElementType.Int64, [b, n]));
        for (var i = 0; i < config.Depth; i++)
        {
            x = Block(vq["encoder"][i], x, null, new() { Heads = config.Heads, Bias = padding }, config);
            g.Output($"encoder_block_{i}", x);
        }

        var pooled = g.Input("pooling", [b, k, n]).MatMul(vq["encoder_norm"].LayerNorm(x));                     // (B, k, d)
        g.Output("pooled", pooled);
        g.Output("latent", vq["to_code"].Linear(pooled, config.CodesPerPrimitive * config.CodeWidth));
    }

    /// <summary>codes (B, m), ids (B, n) shifted by one -> sequence_logits (B, n, V).</summary>
    public static void Decoder(Scope root, CadConfig config)
    {
        var (g, vq) = (root.Graph, root["vq"]);
        var (b, n, m) = (Dim.Symbol("B"), Dim.Symbol("N"), Dim.Symbol("M"));
        var rows = vq.Weight("codebook", config.Codes, config.CodeWidth).Gather(g.Input("codes", ElementType.Int64, [b, m]));
        var memory = vq["from_code"].Linear(rows, config.Width) + vq.Weight("code_pos", config.MaxPrimitives * config.CodesPerPrimitive, config.Width).Take(0, m);
        var x = Embed(vq, g.Input("ids", ElementType.Int64, [b, n]), config);
        for (var i = 0; i < config.Depth; i++)
        {
            x = Block(vq["decoder"][i], x, memory, new() { Heads = config.Heads, Causal = true }, config);
            g.Output($"decoder_block_{i}", x);
        }

        g.Output("sequence_logits", vq["head"].Linear(vq["decoder_norm"].LayerNorm(x), config.Vocabulary));
    }

    /// <summary>ids (1, n) in the language model's numbering; codes are those from the text vocabulary on -> llm_logits (1, n, V).</summary>
    public static void Language(Scope root, CadConfig config)
    {
        var g = root.Graph;
        var n = Dim.Symbol("N");
        var ids = g.Input("ids", ElementType.Int64, [1, n]);
        var code = (ids - config.TextVocabulary).Clip(0, config.Codes - 1);
        var isCode = ids.GreaterOrEqual(g.Constant([(long)config.TextVocabulary])).And(ids.Less(g.Constant([(long)config.TextVocabulary + config.Codes])));
        var llm = config.Llm with { VocabSize = config.LanguageVocabulary };
        var geometry = root["adapter"].Linear(root["vq"].Weight("codebook", config.Codes, config.CodeWidth).Gather(code), llm.HiddenSize);
        var x = isCode.Unsqueeze(-1).Where(geometry, Llama.Embed(root["llm"], ids, llm));
        x = Llama.Decode(root["llm"], x, llm);
        g.Output("llm_hidden", x);
        g.Output("llm_logits", Llama.Logits(root, x, llm, "llm"));
    }

    private static Value Embed(Scope vq, Value ids, CadConfig config) =>
        vq["token_embed"].Embedding(ids, config.Vocabulary, config.Width) + vq.Weight("pos_embed", config.MaxLength, config.Width).Take(0, ids.Shape[1]);

    // x += attention; x += attention to the memory; x += perceptron, each after its norm.
    private static Value Block(Scope block, Value x, Value? memory, AttentionOptions options, CadConfig config)
    {
        var (q, k, v) = block["attn.qkv"].Qkv(block["norm1"].LayerNorm(x), config.Width);
        x += block["attn.proj"].Linear(AttentionLayers.Attention(q, k, v, options), config.Width);
        if (memory is not null)
        {
            var cross = block["cross_attn"];
            var (key, value) = cross["kv"].Linear(memory, 2 * config.Width).Chunk2();
            x += cross["proj"].Linear(AttentionLayers.Attention(cross["q"].Linear(block["norm_cross"].LayerNorm(x), config.Width), key, value, new() { Heads = config.Heads }), config.Width);
        }

        return x + block["mlp"].Mlp(block["norm2"].LayerNorm(x), block.ShapeOf("mlp.fc1.weight")[0], x => x.Gelu());
    }
}
