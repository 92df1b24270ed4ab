using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>
/// Keys and values of the positions that came before, for decoding step by step. They are inputs and outputs of the graph, <c>past_key_0</c>.. and <c>present_key_0</c>.., each (B, heads, capacity, W); <see cref="KeyValueState"/>
/// binds both to one buffer on the device, so that a step writes its own rows and nothing is copied.
/// </summary>
public sealed class KeyValueCache
{
    private readonly Graph _graph;
    private readonly Dim _batch, _capacity = Dim.Symbol("cache_capacity");
    private readonly long _heads, _width;
    private readonly Value _lengths, _total;

    /// <summary>Declares the inputs that all layers share.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="batch">Sequences side by side.</param>
    /// <param name="heads">Key and value heads.</param>
    /// <param name="width">Width of a head.</param>
    public KeyValueCache(Graph graph, Dim batch, long heads, long width)
    {
        (_graph, _batch, _heads, _width) = (graph, batch, heads, width);
        _lengths = graph.Input("cache_last", ElementType.Int32, [batch]);
        _total = graph.Input("cache_total", ElementType.Int32, []);
    }

    /// <summary>Causal attention of new positions to all that came before and to themselves. q (B, N, heads W), k and v (B, N, kvHeads W) -> (B, N, heads W).</summary>
    /// <param name="layer">Number of the layer.</param>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys of the new positions.</param>
    /// <param name="v">Values of the new positions.</param>
    /// <param name="options">Heads, scale, window and cap; a bias is not taken.</param>
    /// <exception cref="GraphException">The options have a bias.</exception>
    public Value Attention(int layer, Value q, Value k, Value v, AttentionOptions options)
    {
        if (options.Bias is not null) throw new GraphException("Attention over a cache takes no bias.") { Where = q.Path };
        Shape shape = [_batch, _heads, _capacity, _width];
        var (pastKey, pastValue) = (_graph.Input($"past_key_{layer}", q.Type, shape), _graph.Input($"past_value_{layer}", q.Type, shape));
        var outputs = _graph.Nodes(q.Path, "com.microsoft:GroupQueryAttention", [q, k, v, pastKey, pastValue, _lengths, _total], [(q.Type, q.Shape), (q.Type, shape), (q.Type, shape)],
            ("num_heads", options.Heads), ("kv_num_heads", _heads), ("scale", (float)(options.Scale ?? 1 / Math.Sqrt(_width))), ("softcap", (float)(options.SoftCap ?? 0)), ("local_window_size", options.Window ?? -1L));
        _graph.Output($"present_key_{layer}", outputs[1]);
        _graph.Output($"present_value_{layer}", outputs[2]);
        return outputs[0];
    }
}
