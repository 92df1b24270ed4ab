using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class AttentionTests
{
    [Theory]
    [InlineData(4, 4, false, false)]
    [InlineData(4, 2, false, false)]
    [InlineData(4, 4, true, false)]
    [InlineData(4, 4, false, true)]
    [InlineData(4, 1, true, true)]
    public void Attention_Fused_EqualsPlain(long heads, long keyHeads, bool causal, bool bias)
    {
        var (q, k, v, b) = (Runtime.Numbers(1, 2, 5, heads * 8), Runtime.Numbers(2, 2, 5, keyHeads * 8), Runtime.Numbers(3, 2, 5, keyHeads * 8), Runtime.Numbers(4, 2, heads, 5, 5));
        Tensor<float> Run(Func<Value, Value, Value, AttentionOptions, Value> attention) => Runtime.Run(graph => attention(
                graph.Input("q", [Dim.Symbol("batch"), Dim.Symbol("queries"), heads * 8]), graph.Input("k", [Dim.Symbol("batch"), Dim.Symbol("queries"), keyHeads * 8]), graph.Input("v", [Dim.Symbol("batch"), Dim.Symbol("queries"), keyHeads * 8]),
                new() { Heads = heads, KeyValueHeads = keyHeads, Causal = causal, Bias = bias ? graph.Input("bias", [Dim.Symbol("batch"), heads, Dim.Symbol("queries"), Dim.Symbol("queries")]) : null }),
            [("q", q), ("k", k), ("v", v), .. bias ? [("bias", b)] : Array.Empty<(string, Tensor)>()]);
        Runtime.Near(Run(AttentionLayers.AttentionPlain), Run(AttentionLayers.Attention));
    }

    [Fact]
    public void Rotary_TurnsPairsByTheirAngle()
    {
        var x = Runtime.Numbers(1, 1, 3, 2 * 4);
        var y = Runtime.Run(graph =>
        {
            var (cos, sin) = PositionLayers.RotaryAngles(graph, 3, 4);
            return graph.Input("x", [1, Dim.Symbol("n"), 8]).Take(1, 3).Rotary(2, cos, sin);
        }, ("x", x));
        for (var n = 0; n < 3; n++)
        {
            for (var head = 0; head < 2; head++)
            {
                for (var i = 0; i < 2; i++)
                {
                    var angle = n * Math.Pow(10000, -2.0 * i / 4);
                    var (a, b) = (x[0, n, head * 4 + i], x[0, n, head * 4 + i + 2]);
                    Assert.Equal(a * Math.Cos(angle) - b * Math.Sin(angle), y[0, n, head * 4 + i], 1e-5);
                    Assert.Equal(b * Math.Cos(angle) + a * Math.Sin(angle), y[0, n, head * 4 + i + 2], 1e-5);
                }
            }
        }
    }
}
