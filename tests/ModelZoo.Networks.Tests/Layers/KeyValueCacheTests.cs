using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class KeyValueCacheTests
{
    [Theory]
    [InlineData(4, 4, 0, 0)]
    [InlineData(4, 2, 0, 0)]
    [InlineData(4, 2, 3, 2.0)]
    public void Steps_EqualOneCausalRun(long heads, long keyHeads, long window, double cap)
    {
        const long batch = 2, length = 7, width = 8;
        var (q, k, v) = (Runtime.Numbers(1, batch, length, heads * width), Runtime.Numbers(2, batch, length, keyHeads * width), Runtime.Numbers(3, batch, length, keyHeads * width));
        var options = new AttentionOptions { Heads = heads, KeyValueHeads = keyHeads, Causal = true, Window = window > 0 ? window : null, SoftCap = cap > 0 ? cap : null };
        var expected = Runtime.Run(g => AttentionLayers.AttentionPlain(g.Input("q", [batch, length, heads * width]), g.Input("k", [batch, length, keyHeads * width]), g.Input("v", [batch, length, keyHeads * width]), options),
            ("q", q), ("k", k), ("v", v));

        var (b, n) = (Dim.Symbol("b"), Dim.Symbol("n"));
        using var network = Network.Build(new(Runtime.Engine, new TestWeights()), "cached", scope =>
        {
            var cache = new KeyValueCache(scope.Graph, b, keyHeads, width);
            scope.Graph.Output("y", cache.Attention(0, scope.Graph.Input("q", [b, n, heads * width]), scope.Graph.Input("k", [b, n, keyHeads * width]), scope.Graph.Input("v", [b, n, keyHeads * width]), options));
        });
        using var run = network.Session.Bind();
        using var state = new KeyValueState(network.Session, run, batch, capacity: 16);
        for (var round = 0; round < 2; round++)
        {
            foreach (var count in new[] { 3L, 1, 1, 1, 1 })
            {
                var start = state.Length;
                Tensor<float> Part(Tensor<float> x) => Runtime.Make([batch, count, x.Shape[2]], at => x[at[0], at[1] + start, at[2]]);
                run.Bind("q", Part(q));
                run.Bind("k", Part(k));
                run.Bind("v", Part(v));
                run.BindOutput("y");
                state.Step(count);
                using var y = run.Take("y");
                Runtime.Near(Part(expected), y.ToTensor().As<float>());
            }

            state.Truncate(0);
        }
    }

    [Fact]
    public void Step_BeyondTheCapacity_IsRefused()
    {
        using var network = Network.Build(new(Runtime.Engine, new TestWeights()), "cached", scope =>
        {
            var x = scope.Graph.Input("x", [1, Dim.Symbol("n"), 8]);
            scope.Graph.Output("y", new KeyValueCache(scope.Graph, 1, 1, 8).Attention(0, x, x, x, new() { Heads = 1, Causal = true }));
        });
        using var run = network.Session.Bind();
        using var state = new KeyValueState(network.Session, run, 1, capacity: 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => state.Step(3));
    }
}
