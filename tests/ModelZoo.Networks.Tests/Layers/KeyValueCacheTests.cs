using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class KeyValueCacheTests
{
    private static readonly Dim Rows = Dim.Symbol("b"), Count = Dim.Symbol("n");

    [Theory]
    [InlineData(4, 4, 8, 0, 0)]
    [InlineData(4, 2, 8, 0, 0)]
    [InlineData(4, 2, 8, 3, 2.0)]
    [InlineData(4, 2, 6, 3, 2.0)]                                                                                            // a width that the fused operator does not take
    public async Task Steps_EqualOneCausalRun(long heads, long keyHeads, long width, long window, double cap)
    {
        const int batch = 2, length = 7;
        var (q, k, v) = (Runtime.Numbers(1, batch, length, heads * width), Runtime.Numbers(2, batch, length, keyHeads * width), Runtime.Numbers(3, batch, length, keyHeads * width));
        var options = new AttentionOptions { Heads = heads, KeyValueHeads = keyHeads, Causal = true, Window = window > 0 ? window : null, SoftCap = cap > 0 ? cap : null };
        var expected = Runtime.Run(g => AttentionLayers.AttentionPlain(g.Input("q", [batch, length, heads * width]), g.Input("k", [batch, length, keyHeads * width]), g.Input("v", [batch, length, keyHeads * width]), options),
            ("q", q), ("k", k), ("v", v));
        using var network = Build(options, keyHeads, width);
        using var state = network.Begin(batch);
        for (var round = 0; round < 2; round++)
        {
            foreach (var count in new[] { 3L, 1, 1, 1, 1 })
            {
                var start = state.Length;
                Tensor<float> Part(Tensor<float> x) => Runtime.Make([batch, count, x.Shape[2]], at => x[at[0], at[1] + start, at[2]]);
                var y = await state.StepAsync(default, ("q", Part(q)), ("k", Part(k)), ("v", Part(v)));
                Runtime.Near(Part(expected), y["y"]);
            }

            state.Truncate(0);
        }
    }

    [Theory]
    [InlineData(1, 8)]
    [InlineData(2, 6)]                                                                                                       // the fused operator takes that for one sequence only
    public async Task Step_SeveralPositionsAfterOthers_EqualsOneCausalRun(int rows, long width)
    {
        var options = new AttentionOptions { Heads = 2, Causal = true };
        var x = Runtime.Numbers(1, rows, 9, 2 * width);
        var expected = Runtime.Run(g =>
        {
            var value = g.Input("x", [rows, 9, 2 * width]);
            return AttentionLayers.AttentionPlain(value, value, value, options);
        }, ("x", x));
        using var network = Build(options, 2, width);
        using var state = network.Begin(rows);
        foreach (var count in new[] { 2L, 4, 3 })
        {
            var start = state.Length;
            Tensor<float> Part(Tensor<float> of) => Runtime.Make([rows, count, 2 * width], at => of[at[0], at[1] + start, at[2]]);
            Runtime.Near(Part(expected), (await state.StepAsync(default, ("q", Part(x)), ("k", Part(x)), ("v", Part(x))))["y"]);
        }
    }

    [Fact]
    public async Task Step_HiddenPositions_AreSeenByThemselvesAlone()
    {
        var (x, hidden) = (Runtime.Numbers(1, 1, 5, 8), new[] { 1f, 0, 1, 0, 1 });
        var mask = Runtime.Make([1, 1, 5, 5], at => at[3] == at[2] || at[3] < at[2] && hidden[at[3]] > 0 ? 0 : AttentionLayers.Masked);
        var expected = Runtime.Run(g =>
        {
            var value = g.Input("x", [1, 5, 8]);
            return AttentionLayers.AttentionPlain(value, value, value, new() { Heads = 2, Bias = g.Constant(mask) });
        }, ("x", x));
        using var network = Network.Build(new(Runtime.Engine, new TestWeights()), "hidden", scope =>
        {
            var (g, value) = (scope.Graph, scope.Graph.Input("x", [Rows, Count, 8]));
            g.Output("y", new KeyValueCache(g, Rows, Count, 2, 4, g.Input("visible", [Rows, Count])).Attention(0, value, value, value, new() { Heads = 2, Causal = true }));
        });
        using var state = network.Begin(1);
        foreach (var (start, count) in new[] { (0, 2), (2, 1), (3, 2) })
        {
            Tensor<float> Part(Tensor<float> of) => Runtime.Make([1, count, 8], at => of[0, start + at[1], at[2]]);
            var y = await state.StepAsync(default, ("x", Part(x)), ("visible", Tensor.Create(hidden[start..(start + count)], 1, count)));
            Runtime.Near(Part(expected), y["y"]);
        }
    }

    [Fact]
    public void Attention_Bias_IsRefused()
    {
        Assert.Throws<GraphException>(() => Network.Build(new(Runtime.Engine, new TestWeights()), "biased", scope =>
        {
            var x = scope.Graph.Input("x", [Rows, Count, 8]);
            scope.Graph.Output("y", new KeyValueCache(scope.Graph, Rows, Count, 1, 8).Attention(0, x, x, x, new() { Heads = 1, Bias = x }));
        }));
    }

    private static Network Build(AttentionOptions options, long keyHeads, long width) => Network.Build(new(Runtime.Engine, new TestWeights()), "cached", scope =>
    {
        var g = scope.Graph;
        var cache = new KeyValueCache(g, Rows, Count, keyHeads, width);
        g.Output("y", cache.Attention(0, g.Input("q", [Rows, Count, options.Heads * width]), g.Input("k", [Rows, Count, keyHeads * width]), g.Input("v", [Rows, Count, keyHeads * width]), options));
    });
}
