using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>
/// Keys and values of the positions that came before, for decoding step by step. They are inputs and outputs of the graph, <c>past_key_0</c>.. and <c>present_key_0</c>.., each (B, heads, capacity, W); <see cref="KeyValueState"/>
/// binds both to one buffer, so that a step writes its own positions and nothing is copied. Each row has a length of its own: rows of requests that began at different times are in one run.
/// </summary>
public sealed class KeyValueCache
{
    internal const string Last = "cache_last", Total = "cache_total", Places = "cache_positions";

    private readonly Graph _graph;
    private readonly Dim _batch, _capacity = Dim.Symbol("cache_capacity");
    private readonly long _heads, _width;
    private readonly Value _last, _total, _written;
    private readonly Value? _visible;

    /// <summary>Declares the inputs that all layers share.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="batch">Sequences side by side.</param>
    /// <param name="count">New positions of each.</param>
    /// <param name="heads">Key and value heads.</param>
    /// <param name="width">Width of a head.</param>
    /// <param name="visible">(B, N) float, 0 for new positions that no later one shall see; null when all are seen.</param>
    public KeyValueCache(Graph graph, Dim batch, Dim count, long heads, long width, Value? visible = null)
    {
        (_graph, _batch, Count, _heads, _width) = (graph, batch, count, heads, width);
        _last = graph.Input(Last, ElementType.Int32, [batch]);
        _total = graph.Input(Total, ElementType.Int32, []);
        Positions = graph.Input(Places, ElementType.Int64, [batch, count]);
        _written = _last.Cast(ElementType.Int64).Unsqueeze(1) + AttentionLayers.Range(graph, count) - graph.Extent(count) + 1;
        graph.Cache = this;
        if (visible is not null) _visible = Store("visible", visible.Reshape(batch, 1, count, 1)).Squeeze(3).Unsqueeze(2);   // (B, 1, 1, capacity)
    }

    /// <summary>Places of the new positions in their sequences, counted from 0: (B, N).</summary>
    public Value Positions { get; }

    /// <summary>New positions of each sequence.</summary>
    internal Dim Count { get; }

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
        // The fused operator takes widths that eight divides; on graphics cards it wants half precision.
        return _graph.Device.Kind == Inference.DeviceKind.Cpu && _width % 8 == 0 && _visible is null ? Fused(layer, q, k, v, options) : Plain(layer, q, k, v, options);
    }

    private Value Fused(int layer, Value q, Value k, Value v, AttentionOptions options)
    {
        Shape shape = [_batch, _heads, _capacity, _width];
        var (pastKey, pastValue) = (_graph.Input($"past_key_{layer}", q.Type, shape), _graph.Input($"past_value_{layer}", q.Type, shape));
        var outputs = _graph.Nodes(q.Path, "com.microsoft:GroupQueryAttention", [q, k, v, pastKey, pastValue, _last, _total], [(q.Type, q.Shape), (q.Type, shape), (q.Type, shape)],
            ("num_heads", options.Heads), ("kv_num_heads", _heads), ("scale", (float)(options.Scale ?? 1 / Math.Sqrt(_width))), ("softcap", (float)(options.SoftCap ?? 0)), ("local_window_size", options.Window ?? -1L));
        _graph.Output($"present_key_{layer}", outputs[1]);
        _graph.Output($"present_value_{layer}", outputs[2]);
        return outputs[0];
    }

    /// <summary>The same written out over the whole capacity, of which a query sees the positions up to its own. The fused form is tested against it.</summary>
    internal Value Plain(int layer, Value q, Value k, Value v, AttentionOptions options)
    {
        var keys = Store($"key_{layer}", k.SplitHeads(_heads));
        var values = Store($"value_{layer}", v.SplitHeads(_heads));                                                          // (B, kvHeads, capacity, W)
        var distance = _written.Unsqueeze(1, 3) - AttentionLayers.Range(_graph, _capacity);                                // (B, 1, N, capacity)
        var zero = _graph.Constant([0L]);
        var seen = distance.GreaterOrEqual(zero);
        if (options.Window is { } window) seen = seen.And(distance.Less(_graph.Constant([window])));
        if (_visible is not null) seen = seen.And(_visible.Cast(ElementType.Bool).Or(distance.Same(zero)));
        var shared = options.Heads / _heads;
        var (rows, count) = (q.Shape[0], q.Shape[1]);
        var queries = q.SplitHeads(options.Heads).Reshape(rows, _heads, shared * count, _width);                             // the query heads of one key head, side by side
        var scores = (queries.MatMul(keys.Swap(-1, -2)) * (options.Scale ?? 1 / Math.Sqrt(_width))).Reshape(rows, options.Heads, count, _capacity);
        if (options.SoftCap is { } cap) scores = (scores / cap).Tanh() * cap;
        scores = (scores + AttentionMasks.Where(seen)).Softmax();
        return scores.Reshape(rows, _heads, shared * count, _capacity).MatMul(values).Reshape(rows, options.Heads, count, _width).MergeHeads();
    }

    // New positions (B, heads, N, W) written into a buffer (B, heads, capacity, W).
    private Value Store(string name, Value x)
    {
        var buffer = _graph.Input($"past_{name}", x.Type, [_batch, x.Shape[1], _capacity, x.Shape[3]]);
        var present = buffer.ScatterElements(_written.Unsqueeze(1, 3).Expand(x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]), x, 2);
        _graph.Output($"present_{name}", present);
        return present;
    }
}
