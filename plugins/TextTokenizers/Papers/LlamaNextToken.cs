// Llama 2: Open Foundation and Fine-Tuned Chat Models. Touvron et al. arXiv:2307.09288. The layout of transformers' LlamaForCausalLM.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.LanguageModels;

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
        var config = PublishedConfig.Read<LlamaConfig>(source.PathOf("config.json")).Value;
        _checkpoint = Checkpoint.Open(source.PathOf("model.safetensors"));
        _network = Network.Build(NetworkContext.Of(source, _checkpoint), "llama", root =>
        {
            var (g, model) = (root.Graph, root["model"]);
            var x = Llama.Decode(model, Llama.Embed(model, g.Input("ids", ElementType.Int64, [1, Dim.Symbol("N")]), config), config);          // (1, n, D)
            g.Output("logits", Llama.Logits(root, x.Last(1, 1), config));                                             // (1, 1, V)
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
