// Llama 2: Open Foundation and Fine-Tuned Chat Models. Touvron et al. arXiv:2307.09288. The layout of transformers' LlamaForCausalLM.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>A published Llama that tells the chances of the next token. It keeps the answers to prefixes that it was asked about.</summary>
internal sealed class LlamaNextToken : INextToken, IDisposable
{
    private const int Kept = 256;

    private readonly Checkpoint _checkpoint;
    private readonly Network _network;
    private readonly Dictionary<string, float[]> _answers = [];
    private readonly Lock _lock = new();

    public LlamaNextToken(ModelSource source)
    {
        var config = source.Json("config.json");
        int Int(string key) => config.Member(key).GetInt32();
        var (hidden, heads) = (Int("hidden_size"), Int("num_attention_heads"));
        var head = config.Find("head_dim")?.GetInt32() ?? hidden / heads;
        var keyHeads = config.Find("num_key_value_heads")?.GetInt32() ?? heads;
        var theta = (config.Find("rope_parameters")?.Find("rope_theta") ?? config.Find("rope_theta"))?.GetDouble() ?? 10000;
        var (epsilon, vocabulary) = (config.Member("rms_norm_eps").GetDouble(), Int("vocab_size"));
        var tied = config.Find("tie_word_embeddings")?.GetBoolean() ?? false;
        _checkpoint = Checkpoint.Open(source.PathOf("model.safetensors"));
        _network = Network.Build(NetworkContext.Of(source, _checkpoint), "llama", root =>
        {
            var (g, model, n) = (root.Graph, root["model"], Dim.Symbol("N"));
            var x = model["embed_tokens"].Embedding(g.Input("ids", ElementType.Int64, [1, n]), vocabulary, hidden);                 // (1, n, D)
            var (cos, sin) = PositionLayers.RotaryAngles(g, n, head, theta);
            for (var i = 0; i < Int("num_hidden_layers"); i++)
            {
                var layer = model["layers"][i];
                var (h, self) = (layer["input_layernorm"].RmsNorm(x, epsilon), layer["self_attn"]);
                var query = self["q_proj"].Linear(h, heads * head, bias: false).Rotary(heads, cos, sin);
                var key = self["k_proj"].Linear(h, keyHeads * head, bias: false).Rotary(keyHeads, cos, sin);
                var value = self["v_proj"].Linear(h, keyHeads * head, bias: false);
                x += self["o_proj"].Linear(AttentionLayers.Attention(query, key, value, new() { Heads = heads, KeyValueHeads = keyHeads, Causal = true }), hidden, bias: false);
                x += layer["mlp"].GatedMlp(layer["post_attention_layernorm"].RmsNorm(x, epsilon), Int("intermediate_size"), ValueMath.Silu);
            }

            var last = model["norm"].RmsNorm(x, epsilon).Last(1, 1);                                               // (1, 1, D)
            g.Output("logits", (tied ? model["embed_tokens"] : root["lm_head"]).Linear(last, vocabulary, bias: false));
        });
    }

    /// <inheritdoc/>
    public float[] LogProbabilities(IReadOnlyList<int> ids, CancellationToken cancel)
    {
        var key = string.Join(' ', ids);
        lock (_lock)
        {
            if (_answers.TryGetValue(key, out var known)) return known;
        }

        var logits = _network.Run(cancel, ("ids", Tensor.Create([.. ids.Select(id => (long)id)], 1, ids.Count)))["logits"].As<float>().Span;
        var max = logits[0];
        foreach (var logit in logits) max = Math.Max(max, logit);
        var sum = 0.0;
        foreach (var logit in logits) sum += Math.Exp(logit - max);
        var answer = new float[logits.Length];
        for (var i = 0; i < answer.Length; i++) answer[i] = (float)(logits[i] - max - Math.Log(sum));
        lock (_lock)
        {
            if (_answers.Count >= Kept) _answers.Clear();
            return _answers[key] = answer;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        _checkpoint.Dispose();
    }
}
