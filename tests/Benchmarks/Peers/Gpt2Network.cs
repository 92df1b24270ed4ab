using ModelZoo.Networks;

namespace ModelZoo.Benchmarks.Peers;

// Language Models are Unsupervised Multitask Learners. Radford, Wu, Child, Luan, Amodei, Sutskever. 2019. transformers' GPT2Model; its maps are stored (in, out).

/// <summary>GPT-2 of 124 million weights.</summary>
internal static class Gpt2Network
{
    public const long Width = 768, Heads = 12, Vocabulary = 50257;
    public const int Layers = 12;

    /// <summary>Hidden states. ids (B, N), positions (N, D); attention takes a layer's number, queries, keys and values (B, N, D).</summary>
    public static Value Build(Scope gpt, Value ids, Value positions, Func<int, Value, Value, Value, Value> attention)
    {
        var h = gpt["wte"].Embedding(ids, Vocabulary, Width) + positions;
        for (var i = 0; i < Layers; i++)
        {
            var block = gpt["h"][i];
            var (q, k, v) = block["attn.c_attn"].LinearInOut(block["ln_1"].LayerNorm(h), 3 * Width).Chunk3();
            h += block["attn.c_proj"].LinearInOut(attention(i, q, k, v), Width);
            h += block["mlp.c_proj"].LinearInOut(block["mlp.c_fc"].LinearInOut(block["ln_2"].LayerNorm(h), 4 * Width).Gelu(Gelu.Tanh), Width);
        }

        return gpt["ln_f"].LayerNorm(h);
    }

    /// <summary>Logits of the next token, with the embedding as the output map. h (B, D) -> (B, vocabulary).</summary>
    public static Value Logits(Scope gpt, Value h) => gpt["wte"].Linear(h, Vocabulary, bias: false);
}
