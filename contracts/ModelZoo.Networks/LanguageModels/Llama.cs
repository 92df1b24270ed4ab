namespace ModelZoo.Networks.LanguageModels;

// LLaMA: Open and Efficient Foundation Language Models. Touvron et al. arXiv:2302.13971. Qwen2 Technical Report. arXiv:2407.10671. Phi-3 Technical Report. arXiv:2404.14219.
// Layouts of huggingface/transformers: LlamaForCausalLM, Qwen2ForCausalLM, Phi3ForCausalLM.

/// <summary>What looks at the keys: takes a layer's number, turned queries (B, N, heads W) and keys (B, N, kvHeads W), values (B, N, kvHeads W), and the published options; gives (B, N, heads W).</summary>
public delegate Value LayerAttention(int layer, Value queries, Value keys, Value values, AttentionOptions options);

/// <summary>
/// The decoder of LLaMA, Qwen2 and Phi-3: blocks with norms before, rotary positions and a gated perceptron. <c>model</c> is the scope that has <c>embed_tokens</c>, <c>layers</c> and <c>norm</c> in it. Stages: <c>block_i</c>.
/// </summary>
public static class Llama
{
    /// <summary>ids (B, N) -> (B, N, D).</summary>
    public static Value Embed(Scope model, Value ids, LlamaConfig config) => model["embed_tokens"].Embedding(ids, config.VocabSize, config.HiddenSize);

    /// <summary>Embeddings x (B, N, D) -> (B, N, D) after the final norm.</summary>
    /// <param name="model">The scope.</param>
    /// <param name="x">Embeddings.</param>
    /// <param name="config">The published configuration.</param>
    /// <param name="positions">Positions of the tokens (B, N) or (1, N), int64; null counts from 0.</param>
    /// <param name="attention">What looks at the keys, over a cache or with other masks; null is causal attention among the tokens.</param>
    /// <param name="real">1 for tokens and 0 for padding (B, N, 1), by which stages are multiplied; null leaves them.</param>
    /// <param name="oneByOne">True where the tokens came one after the other, each being the last of its sequence then.</param>
    public static Value Decode(Scope model, Value x, LlamaConfig config, Value? positions = null, LayerAttention? attention = null, Value? real = null, bool oneByOne = false)
    {
        attention ??= (_, q, k, v, options) => AttentionLayers.Attention(q, k, v, options);
        var (cos, sin) = config.Rotary.Angles(positions ?? AttentionLayers.Range(x.Graph, x.Shape[1]).Unsqueeze(0), oneByOne);
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            var layer = model["layers"][i];
            x += Attention(layer["self_attn"], layer["input_layernorm"].RmsNorm(x, config.Epsilon), cos, sin, config, i, attention);
            x += FeedForward(layer["mlp"], layer["post_attention_layernorm"].RmsNorm(x, config.Epsilon), config);
            model.Stage($"block_{i}", real is null ? x : x * real);
        }

        return model["norm"].RmsNorm(x, config.Epsilon);
    }

    /// <summary>Logits of the next tokens, h (.., D) -> (.., V). A map that is stored is taken even where the configuration says that it is the embedding table, as transformers 5 does.</summary>
    /// <param name="root">The scope that has <c>lm_head</c> in it.</param>
    /// <param name="h">States after the final norm.</param>
    /// <param name="config">The published configuration.</param>
    /// <param name="model">Where the decoder is.</param>
    public static Value Logits(Scope root, Value h, LlamaConfig config, string model = "model") =>
        root[config.TieWordEmbeddings && !root.Has("lm_head.weight") ? $"{model}.embed_tokens" : "lm_head"].Linear(h, config.VocabSize, bias: false);

    private static Value Attention(Scope attention, Value x, Value cos, Value sin, LlamaConfig config, int layer, LayerAttention look)
    {
        long heads = config.NumAttentionHeads, keyHeads = config.KeyValueHeads, wide = heads * config.HeadWidth, narrow = keyHeads * config.HeadWidth;
        var biased = config.IsQwen || config.AttentionBias;
        Value Rows(long start, long count) => attention["qkv_proj"].LinearRows(x, wide + 2 * narrow, start, count, bias: false);
        var (q, k, v) = config.IsPhi
            ? (Rows(0, wide), Rows(wide, narrow), Rows(wide + narrow, narrow))
            : (attention["q_proj"].Linear(x, wide, biased), attention["k_proj"].Linear(x, narrow, biased), attention["v_proj"].Linear(x, narrow, biased));
        var options = new AttentionOptions { Heads = heads, KeyValueHeads = keyHeads, Causal = true, Window = config.Window(layer) };
        return attention["o_proj"].Linear(look(layer, q.Rotary(heads, cos, sin), k.Rotary(keyHeads, cos, sin), v, options), config.HiddenSize, config is { AttentionBias: true, IsQwen: false, IsPhi: false });
    }

    private static Value FeedForward(Scope mlp, Value x, LlamaConfig config)
    {
        var activation = Activations.Named(config.HiddenAct);
        if (!config.IsPhi) return mlp.GatedMlp(x, config.IntermediateSize, activation, bias: config.MlpBias && !config.IsQwen);
        Value Half(long start) => mlp["gate_up_proj"].LinearRows(x, 2 * config.IntermediateSize, start, config.IntermediateSize, bias: false);
        return mlp["down_proj"].Linear(activation(Half(0)) * Half(config.IntermediateSize), config.HiddenSize, bias: false);
    }
}
