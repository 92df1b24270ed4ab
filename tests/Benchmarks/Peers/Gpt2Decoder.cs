using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>GPT-2 with its cache and random weights, decoding greedily.</summary>
internal sealed class Gpt2Decoder : IDisposable
{
    private readonly InferenceRuntime _runtime = new();
    private readonly Network _network;

    /// <summary>A decoder.</summary>
    /// <param name="limit">Most requests in one run.</param>
    public Gpt2Decoder(int limit)
    {
        Weights = new(Build);
        _network = Network.Build(new(_runtime, Weights) { Batching = new() { Limit = limit } }, "gpt2", Build);
    }

    /// <summary>Its weights.</summary>
    public RandomWeights Weights { get; }

    /// <summary>What caches take now.</summary>
    public long CacheBytes => _network.CacheBytes;

    /// <summary>Sequences of a request.</summary>
    public KeyValueState Begin(int rows = 1) => _network.Begin(rows);

    /// <summary>Appends ids (rows, n) and gives the next of each row (rows, 1).</summary>
    public static async Task<Tensor<long>> StepAsync(KeyValueState state, Tensor<long> ids) => (await state.StepAsync(default, ("ids", ids))).Get<long>("next").Reshape(ids.Shape[0], 1);

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        _runtime.Dispose();
    }

    private static void Build(Scope scope)
    {
        var (g, rows, length) = (scope.Graph, Dim.Symbol("rows"), Dim.Symbol("length"));
        var ids = g.Input("ids", ElementType.Int64, [rows, length]);
        var cache = new KeyValueCache(g, rows, length, Gpt2Network.Heads, Gpt2Network.Width / Gpt2Network.Heads);
        var positions = scope["wpe"].Weight("weight", 1024, Gpt2Network.Width).Gather(cache.Positions);
        var h = Gpt2Network.Build(scope, ids, positions, (layer, q, k, v) => cache.Attention(layer, q, k, v, new() { Heads = Gpt2Network.Heads, Causal = true }));
        g.Output("next", Gpt2Network.Logits(scope, h.At(1, length - 1)).ArgMax(-1));
    }
}
