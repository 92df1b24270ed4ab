using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class BlockSparseAttentionTests
{
    [Theory]
    [InlineData(2, 2, 3, false)]
    [InlineData(4, 2, 1, true)]
    [InlineData(2, 1, 5, true)]
    public void Attention_ChosenBlocks_EqualsTheMaskedWhole(long heads, long keyHeads, int block, bool causal)
    {
        const long batch = 2, width = 4;
        int[][] layout = [[0], [0, 1], [2, 0], [1, 3, 2], [4, 0]];
        var length = layout.Length * (long)block;
        var (q, k, v) = (Runtime.Numbers(1, batch, length, heads * width), Runtime.Numbers(2, batch, length, keyHeads * width), Runtime.Numbers(3, batch, length, keyHeads * width));
        var mask = Runtime.Make([1, 1, length, length], at => layout[at[2] / block].Contains((int)(at[3] / block)) && !(causal && at[3] > at[2]) ? 0 : AttentionLayers.Masked);
        Value Build(Graph g, Func<Value, Value, Value, Value> attend) =>
            attend(g.Input("q", [Dim.Symbol("b"), length, heads * width]), g.Input("k", [Dim.Symbol("b"), length, keyHeads * width]), g.Input("v", [Dim.Symbol("b"), length, keyHeads * width]));
        var options = new AttentionOptions { Heads = heads, KeyValueHeads = keyHeads };

        Runtime.Near(Runtime.Run(g => Build(g, (a, b, c) => AttentionLayers.AttentionPlain(a, b, c, options with { Bias = g.Constant(mask) })), ("q", q), ("k", k), ("v", v)),
            Runtime.Run(g => Build(g, (a, b, c) => BlockSparseAttention.Attention(a, b, c, options with { Causal = causal }, block, layout)), ("q", q), ("k", k), ("v", v)));
    }

    [Fact]
    public void Attention_BlockThatIsNotThere_IsRefused()
    {
        var g = new Graph("test");
        var x = g.Input("x", [1, 6, 4]);
        Assert.Throws<GraphException>(() => BlockSparseAttention.Attention(x, x, x, new() { Heads = 1 }, 2, [[0], [1], [3]]));
        Assert.Throws<GraphException>(() => BlockSparseAttention.Attention(x, x, x, new() { Heads = 1 }, 2, [[0], [1]]));
    }
}
