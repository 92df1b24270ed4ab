// Autoregressive Model Beats Diffusion: Llama for Scalable Image Generation. Sun et al. arXiv:2406.06525. github.com/FoundationVision/LlamaGen: the blocks that many generators of codes share.
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Sizes of a block.</summary>
/// <param name="Width">Width.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="Hidden">Hidden width of the gated perceptron.</param>
internal sealed record LlamaSizes(long Width, long Heads, long Hidden)
{
    /// <summary>Key and value heads; null: as many as query heads.</summary>
    public long? KeyValueHeads { get; init; }
    /// <summary>Epsilon of the norms.</summary>
    public double Epsilon { get; init; } = 1e-5;

    /// <summary>Whether queries and keys are normalised, head by head (<c>attention.q_norm</c>, <c>attention.k_norm</c>).</summary>
    public bool QkNorm { get; init; }

    /// <summary>Width of keys and values.</summary>
    public long KeyValueWidth => (KeyValueHeads ?? Heads) * (Width / Heads);

    /// <summary>A cache of its keys and values, for <paramref name="count"/> new positions in each of <paramref name="rows"/> sequences.</summary>
    public KeyValueCache Cache(Graph graph, Dim rows, Dim count, Value? visible = null) => new(graph, rows, count, KeyValueHeads ?? Heads, Width / Heads, visible);

    /// <summary>The published hidden width: two thirds of four times the width, times a factor, rounded up to a multiple.</summary>
    public static long HiddenOf(int width, int multiple, double? factor = null)
    {
        var hidden = 2 * (4 * width) / 3;
        if (factor is { } times) hidden = (int)(times * hidden);
        return (hidden + multiple - 1) / multiple * multiple;
    }
}

/// <summary>Blocks with the published names: <c>attention_norm</c>, <c>attention.wqkv</c>, <c>attention.wo</c>, <c>ffn_norm</c>, <c>feed_forward.w1</c>, <c>w3</c>, <c>w2</c>.</summary>
internal static class LlamaLayers
{
    /// <summary>A block. x (B, N, D), rotary tables (N, W / 2) or (B, N, W / 2) for neighbouring pairs, or none -> (B, N, D).</summary>
    /// <param name="layer">Its place.</param>
    /// <param name="x">The input.</param>
    /// <param name="sizes">Its sizes.</param>
    /// <param name="rotary">Cosines and sines of the positions.</param>
    /// <param name="attention">Looks at the keys: plain, or over a cache.</param>
    /// <param name="modulation">Shift, scale and gate of both branches, (B, 1 or N, 6 D); null for none.</param>
    public static Value LlamaBlock(this Scope layer, Value x, LlamaSizes sizes, (Value Cos, Value Sin)? rotary, Func<Value, Value, Value, AttentionOptions, Value> attention, Value? modulation = null)
    {
        var parts = modulation?.Chunk(6, -1);
        Value Modulated(Value y, int shift) => parts is null ? y : y * (parts[shift + 1] + 1) + parts[shift];
        Value Gated(Value y, int gate) => parts is null ? y : parts[gate] * y;
        var (width, shared, total) = (sizes.Width, sizes.KeyValueWidth, sizes.Width + 2 * sizes.KeyValueWidth);
        var h = Modulated(layer["attention_norm"].RmsNorm(x, sizes.Epsilon), 0);
        var wqkv = layer["attention.wqkv"];
        var (q, k, v) = (wqkv.LinearRows(h, total, 0, width, bias: false), wqkv.LinearRows(h, total, width, shared, bias: false), wqkv.LinearRows(h, total, width + shared, shared, bias: false));
        if (sizes.QkNorm) (q, k) = (PerHead(layer["attention.q_norm"], q, sizes.Heads, sizes), PerHead(layer["attention.k_norm"], k, sizes.KeyValueHeads ?? sizes.Heads, sizes));
        if (rotary is var (cos, sin)) (q, k) = (q.Rotary(sizes.Heads, cos, sin, interleaved: true), k.Rotary(sizes.KeyValueHeads ?? sizes.Heads, cos, sin, interleaved: true));
        x += Gated(layer["attention.wo"].Linear(attention(q, k, v, new() { Heads = sizes.Heads, KeyValueHeads = sizes.KeyValueHeads, Causal = true }), width, bias: false), 2);
        h = Modulated(layer["ffn_norm"].RmsNorm(x, sizes.Epsilon), 3);
        return x + Gated(layer["feed_forward"].GatedMlp(h, sizes.Hidden, value => value.Silu(), "w1", "w3", "w2"), 5);
    }

    /// <summary>Tables of positions on a square grid, after those of <paramref name="conditions"/> positions that are zero, so that their queries and keys vanish: (conditions + side side, W / 2).</summary>
    public static (Value Cos, Value Sin) GridTables(Graph graph, int side, long width, int conditions, double theta)
    {
        var (cos, sin) = PositionLayers.RotaryAngles(graph, [side, side], [width / 2, width / 2], theta);
        return (cos.Pad(0, conditions, 0), sin.Pad(0, conditions, 0));
    }

    /// <summary>Rows of both tables.</summary>
    public static (Value Cos, Value Sin) Rows(this (Value Cos, Value Sin) tables, Dim start, Dim end) => (tables.Cos.Slice(0, start, end), tables.Sin.Slice(0, start, end));

    /// <summary>Rows of both tables at given positions, (N) or (B, N).</summary>
    public static (Value Cos, Value Sin) At(this (Value Cos, Value Sin) tables, Value positions) => (tables.Cos.Gather(positions), tables.Sin.Gather(positions));

    private static Value PerHead(Scope norm, Value x, long heads, LlamaSizes sizes) => norm.LayerNorm(x.Reshape(x.Shape[0], x.Shape[1], heads, sizes.Width / sizes.Heads), sizes.Epsilon).Flatten(2);
}
