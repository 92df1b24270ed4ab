using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>How queries look at keys.</summary>
public sealed record AttentionOptions
{
    /// <summary>Number of query heads.</summary>
    public required long Heads { get; init; }

    /// <summary>Number of key and value heads; query heads share them in order. Null: as many as query heads.</summary>
    public long? KeyValueHeads { get; init; }

    /// <summary>Factor on the scores; null is 1 / sqrt(head width).</summary>
    public double? Scale { get; init; }

    /// <summary>True when a query sees only keys up to its own position; the last query sits at the last key.</summary>
    public bool Causal { get; init; }

    /// <summary>With <see cref="Causal"/>, the number of keys that a query sees, its own among them; null for all.</summary>
    public long? Window { get; init; }

    /// <summary>Added to the scores, (1 or B, 1 or heads, 1 or queries, keys): masks (see <see cref="AttentionMasks"/>) and position biases.</summary>
    public Value? Bias { get; init; }

    /// <summary>Scores s become cap tanh(s / cap) before bias and mask; null leaves them.</summary>
    public double? SoftCap { get; init; }
}

/// <summary>Scaled dot-product attention (Vaswani et al., arXiv:1706.03762, eq. 1).</summary>
public static class AttentionLayers
{
    /// <summary>A score that no query survives: the mask value that leaves exact zeros after softmax.</summary>
    public const float Masked = -1e30f;

    /// <summary>Multi-head attention. q (B, N, heads W), k (B, M, kvHeads W), v (B, M, kvHeads V) -> (B, N, heads V).</summary>
    /// <exception cref="GraphException">Heads do not divide the widths or one another, or there is a window that is not causal (<see cref="AttentionMasks.Local"/> is a bias).</exception>
    public static Value Attention(Value q, Value k, Value v, AttentionOptions options)
    {
        Check(q, k, v, options);
        if (options.SoftCap is not null || !Fuses(q)) return AttentionPlain(q, k, v, options);
        var (keyHeads, width) = (options.KeyValueHeads ?? options.Heads, q.Shape[-1].Size / options.Heads);
        if (keyHeads != options.Heads) (k, v) = (RepeatHeads(k, keyHeads, options.Heads), RepeatHeads(v, keyHeads, options.Heads));
        // The kernel's own causal mask puts the first query at the first key, and it wants a bias for every query.
        var masked = options.Causal && (options.Window is not null || q.Shape[1] != k.Shape[1]);
        var bias = masked ? Sum(options.Bias, Order(q, k, options)) : options.Bias;
        if (bias is not null && bias.Shape[2] != q.Shape[1]) bias = bias.Expand(bias.Shape[0], bias.Shape[1], q.Shape[1], k.Shape[1]);
        return q.Graph.Node(q.Path, "com.microsoft:MultiHeadAttention", [q, k, v, null, null, bias], q.Type, q.Shape.With(-1, v.Shape[-1]),
            ("num_heads", options.Heads), ("scale", (float)(options.Scale ?? 1 / Math.Sqrt(width))), ("unidirectional", options.Causal && !masked ? 1L : 0L));
    }

    /// <summary>The same written out: softmax(cap(q k^T scale) + bias) v. The fused form is tested against it.</summary>
    public static Value AttentionPlain(Value q, Value k, Value v, AttentionOptions options)
    {
        var (heads, keyHeads) = (options.Heads, options.KeyValueHeads ?? options.Heads);
        if (keyHeads != heads) (k, v) = (RepeatHeads(k, keyHeads, heads), RepeatHeads(v, keyHeads, heads));
        var width = q.Shape[-1].Size / heads;
        var scores = SplitHeads(q, heads).MatMul(SplitHeads(k, heads).Swap(-1, -2)) * (options.Scale ?? 1 / Math.Sqrt(width));  // (B, heads, N, M)
        if (options.SoftCap is { } cap) scores = (scores / cap).Tanh() * cap;
        if (options.Bias is not null) scores += options.Bias;
        if (options.Causal) scores += Order(q, k, options);
        return MergeHeads(scores.Softmax().MatMul(SplitHeads(v, heads)));
    }

    /// <summary>(B, N, heads W) -> (B, heads, N, W).</summary>
    public static Value SplitHeads(this Value x, long heads) => x.Reshape(x.Shape[0], x.Shape[1], heads, x.Shape[-1].Size / heads).Transpose(0, 2, 1, 3);

    /// <summary>(B, heads, N, W) -> (B, N, heads W).</summary>
    public static Value MergeHeads(this Value x) => x.Transpose(0, 2, 1, 3).Flatten(2);

    /// <summary>Self-attention with one fused map <c>qkv</c> and an output map <c>proj</c>, as timm writes it. x (B, N, D) -> (B, N, D).</summary>
    public static Value SelfAttention(this Scope scope, Value x, long heads, bool bias = true)
    {
        var width = x.Shape[-1].Size;
        var (q, k, v) = scope["qkv"].Qkv(x, width, bias);
        return scope["proj"].Linear(Attention(q, k, v, new() { Heads = heads }), width);
    }

    /// <summary>Queries, keys and values of one fused map, whose rows are used as views. x (B, N, in) -> three of (B, N, width).</summary>
    public static (Value Q, Value K, Value V) Qkv(this Scope scope, Value x, long width, bool bias = true) =>
        (scope.LinearRows(x, 3 * width, 0, width, bias), scope.LinearRows(x, 3 * width, width, width, bias), scope.LinearRows(x, 3 * width, 2 * width, width, bias));

    /// <summary>
    /// Square windows of a picture, for attention within each; sizes that windows do not divide are padded with zeros at the bottom and right, and a shift rolls the picture up and left first (Swin, arXiv:2103.14030). x (B, H, W, D) -> (B windows, size size, D).
    /// </summary>
    public static Value Windows(this Value x, long size, long shift = 0)
    {
        var (rows, columns) = (Dim.CeilDiv(x.Shape[1], size), Dim.CeilDiv(x.Shape[2], size));
        x = x.Pad([(1, 0, rows * size - x.Shape[1]), (2, 0, columns * size - x.Shape[2])]).Roll(1, shift).Roll(2, shift);
        return x.Reshape(x.Shape[0], rows, size, columns, size, x.Shape[3]).Transpose(0, 1, 3, 2, 4, 5).Reshape(x.Shape[0] * rows * columns, size * size, x.Shape[3]);
    }

    /// <summary>The reverse of <see cref="Windows"/>. x (B windows, size size, D) -> (B, rows, columns, D).</summary>
    public static Value FromWindows(this Value x, long size, Dim rows, Dim columns, long shift = 0)
    {
        var (high, wide) = (Dim.CeilDiv(rows, size), Dim.CeilDiv(columns, size));
        var pictures = x.Reshape(-1, high, wide, size, size, x.Shape[2]);
        var picture = pictures.Transpose(0, 1, 3, 2, 4, 5).Reshape(pictures.Shape[0], high * size, wide * size, x.Shape[2]);
        if (shift != 0) picture = picture.Roll(1, high * size - shift).Roll(2, wide * size - shift);
        return picture.Take(1, rows).Take(2, columns);
    }

    /// <summary>0, 1, 2... as int64 (count).</summary>
    public static Value Range(Graph graph, Dim count)
    {
        if (count.IsKnown) return graph.Constant<long>([.. Enumerable.Range(0, count.Int).Select(i => (long)i)], count.Size);
        return graph.Node("range", "Range", [graph.Constant([0L]), graph.Extent(count).Squeeze(0), graph.Constant([1L])], ElementType.Int64, [count]);
    }

    private static void Check(Value q, Value k, Value v, AttentionOptions options)
    {
        if (options.Window is not null && !options.Causal) throw new GraphException("A window is for causal attention; a bias of AttentionMasks.Local looks to both sides.") { Where = q.Path };
        var (heads, keyHeads) = (options.Heads, options.KeyValueHeads ?? options.Heads);
        if (heads % keyHeads != 0 || q.Shape[-1].Size % heads != 0 || v.Shape[-1].Size % keyHeads != 0 || k.Shape[-1].Size * heads != q.Shape[-1].Size * keyHeads)
            throw new GraphException("Attention takes widths that its heads divide.") { Where = q.Path, Expected = $"{heads} heads of queries, {keyHeads} of keys and values", Found = $"{q}, {k}, {v}" };
    }

    private static Value Order(Value q, Value k, AttentionOptions options) =>
        options.Window is { } window ? AttentionMasks.Sliding(q.Graph, q.Shape[1], k.Shape[1], window) : AttentionMasks.Causal(q.Graph, q.Shape[1], k.Shape[1]);

    private static Value Sum(Value? a, Value b) => a is null ? b : a + b;

    private static Value RepeatHeads(Value x, long from, long to) =>
        x.Reshape(x.Shape[0], x.Shape[1], from, -1).RepeatInterleave(2, to / from).Flatten(2);

    // ONNX Runtime's kernel takes float32 and float16.
    private static bool Fuses(Value q) => q.Type is ElementType.Float32 or ElementType.Float16 && !WebGpuKernels.AttendsWrongly(q.Graph);
}
