using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Recommenders;

// LLaMA: Open and Efficient Foundation Language Models. Touvron et al. arXiv:2302.13971. Qwen2 Technical Report. arXiv:2407.10671. Layouts of huggingface/transformers: LlamaForCausalLM, Qwen2Model.

/// <summary>The published <c>config.json</c> of LLaMA and Qwen2.</summary>
public sealed record LlamaConfig
{
    /// <summary><c>llama</c> or <c>qwen2</c>; the latter has biases on queries, keys and values, and on nothing else.</summary>
    [AllowedValues("llama", "qwen2")] public string ModelType { get; init; } = "llama";
    /// <summary>Number of tokens.</summary>
    [Range(1, 10_000_000)] public long VocabSize { get; init; } = 32000;
    /// <summary>Width.</summary>
    [Range(1, 65536)] public long HiddenSize { get; init; } = 4096;
    /// <summary>Width of the feed-forward network.</summary>
    [Range(1, 262144)] public long IntermediateSize { get; init; } = 11008;
    /// <summary>Number of layers.</summary>
    [Range(1, 1024)] public int NumHiddenLayers { get; init; } = 32;
    /// <summary>Number of query heads.</summary>
    [Range(1, 1024)] public long NumAttentionHeads { get; init; } = 32;
    /// <summary>Number of key and value heads; null is as many.</summary>
    public long? NumKeyValueHeads { get; init; }
    /// <summary>Width of a head; null is the width over the heads.</summary>
    public long? HeadDim { get; init; }
    /// <summary>Epsilon of the norms.</summary>
    public double RmsNormEps { get; init; } = 1e-6;
    /// <summary>Longest sequence.</summary>
    [Range(1, 1 << 30)] public int MaxPositionEmbeddings { get; init; } = 2048;
    /// <summary>Length of training where rotary settings stretch it; null is as they say.</summary>
    [Range(1, 1 << 30)] public int? OriginalMaxPositionEmbeddings { get; init; }
    /// <summary>Base of the rotary frequencies, where the rotary settings do not say.</summary>
    public double RopeTheta { get; init; } = 10000;
    /// <summary>Newer files' rotary settings.</summary>
    public RopeParameters? RopeParameters { get; init; }
    /// <summary>Older files' changes to the rotary settings.</summary>
    public RopeParameters? RopeScaling { get; init; }
    /// <summary>Activation of the gate.</summary>
    public string HiddenAct { get; init; } = "silu";
    /// <summary>Whether LLaMA's attention has biases.</summary>
    public bool AttentionBias { get; init; }
    /// <summary>Whether LLaMA's feed-forward network has biases.</summary>
    public bool MlpBias { get; init; }
    /// <summary>Whether the output map is the embedding table.</summary>
    public bool TieWordEmbeddings { get; init; }
    /// <summary>Id that ends a sequence.</summary>
    public int EosTokenId { get; init; } = 2;

    internal long KeyValueHeads => NumKeyValueHeads ?? NumAttentionHeads;

    internal long HeadWidth => HeadDim ?? HiddenSize / NumAttentionHeads;

    internal bool IsQwen => ModelType == "qwen2";

    /// <summary>Checked rotary settings.</summary>
    /// <exception cref="Contracts.ModelZooException">They are of a kind that is not supported, or lack a number.</exception>
    internal LlamaConfig Checked(string folder)
    {
        Rotary.Check(folder);
        return this;
    }

    internal RotarySettings Rotary => new(RopeScaling ?? RopeParameters ?? new(), HeadWidth, RopeTheta, MaxPositionEmbeddings, OriginalMaxPositionEmbeddings);
}

/// <summary>The decoder of LLaMA and Qwen2. <c>model</c> is the scope that has <c>embed_tokens</c>, <c>layers</c> and <c>norm</c> in it.</summary>
internal static class LlamaLayers
{
    /// <summary>What a layer's queries look at: takes and gives keys and values (B, M, kvHeads W).</summary>
    public delegate (Value Keys, Value Values) Remember(int layer, Value keys, Value values);

    /// <summary>ids (B, N) -> (B, N, D).</summary>
    public static Value Embed(Scope model, Value ids, LlamaConfig config) => model["embed_tokens"].Embedding(ids, config.VocabSize, config.HiddenSize);

    /// <summary>h (B, N, D), positions (B, N) or (1, N) int64, bias (B or 1, 1, N, M) -> (B, N, D) after the final norm.</summary>
    /// <param name="model">The scope.</param>
    /// <param name="h">Embeddings.</param>
    /// <param name="positions">Positions of the tokens.</param>
    /// <param name="bias">What is added to the scores.</param>
    /// <param name="config">The published configuration.</param>
    /// <param name="remember">What stands before; null for nothing.</param>
    /// <param name="real">1 for tokens and 0 for padding (B, N, 1), by which stages are multiplied; null leaves them.</param>
    /// <param name="oneByOne">True where the tokens came one after the other, each being the last of its sequence then.</param>
    public static Value Decode(Scope model, Value h, Value positions, Value bias, LlamaConfig config, Remember? remember = null, Value? real = null, bool oneByOne = false)
    {
        var (cos, sin) = config.Rotary.Angles(positions, oneByOne);
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            var (layer, number) = (model["layers"][i], i);
            h += Attention(layer["self_attn"], layer["input_layernorm"].RmsNorm(h, config.RmsNormEps), cos, sin, bias, config, (k, v) => remember?.Invoke(number, k, v) ?? (k, v));
            h += layer["mlp"].GatedMlp(layer["post_attention_layernorm"].RmsNorm(h, config.RmsNormEps), config.IntermediateSize, Activations.Named(config.HiddenAct), bias: config.MlpBias && !config.IsQwen);
            model.Stage($"block_{i}", real is null ? h : h * real);
        }

        return model["norm"].RmsNorm(h, config.RmsNormEps);
    }

    /// <summary>h (.., D) -> (.., V). A map that is stored is taken even where the configuration says that it is the embedding table, as transformers 5 does.</summary>
    public static Value Logits(Scope root, Value h, LlamaConfig config) => root[config.TieWordEmbeddings && !root.Has("lm_head.weight") ? "model.embed_tokens" : "lm_head"].Linear(h, config.VocabSize, bias: false);

    private static Value Attention(Scope attention, Value x, Value cos, Value sin, Value bias, LlamaConfig config, Func<Value, Value, (Value, Value)> remember)
    {
        var (heads, keyHeads, width) = (config.NumAttentionHeads, config.KeyValueHeads, config.HeadWidth);
        var biased = config.IsQwen || config.AttentionBias;
        var q = attention["q_proj"].Linear(x, heads * width, biased).Rotary(heads, cos, sin);
        var (k, v) = remember(attention["k_proj"].Linear(x, keyHeads * width, biased).Rotary(keyHeads, cos, sin), attention["v_proj"].Linear(x, keyHeads * width, biased));
        return attention["o_proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = heads, KeyValueHeads = keyHeads, Bias = bias }), config.HiddenSize, config.AttentionBias && !config.IsQwen);
    }
}
