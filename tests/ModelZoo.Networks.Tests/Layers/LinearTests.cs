using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class LinearTests
{
    private static readonly Dim B = Dim.Symbol("b"), N = Dim.Symbol("n");

    [Fact]
    public void Linear_AnyRank_IsTheProductWithTheTransposedWeight()
    {
        var (w, b) = (Runtime.Numbers(1, 4, 3), Runtime.Numbers(2, 4));
        foreach (long[] lead in (long[][])[[5], [2, 5], [2, 5, 3]])
        {
            var x = Runtime.Numbers(3, [.. lead, 3]);
            var expected = Runtime.Make([.. lead, 4], at => b[at[^1]] + Enumerable.Range(0, 3).Sum(i => (double)x[[.. at[..^1], i]] * w[at[^1], i]));
            Runtime.Near(expected, Runtime.Run(scope => scope.Linear(scope.Graph.Input("x", [.. Runtime.Symbols(lead.Length), 3]), 4), new(("weight", w), ("bias", b)), ("x", x)));
        }
    }

    [Fact]
    public void LinearRows_IsAViewOfTheFusedMap()
    {
        var (w, b, x) = (Runtime.Numbers(1, 6, 3), Runtime.Numbers(2, 6), Runtime.Numbers(3, 2, 3));
        var expected = Runtime.Make([2, 2], at => b[at[1] + 2] + Enumerable.Range(0, 3).Sum(i => (double)x[at[0], i] * w[at[1] + 2, i]));
        Runtime.Near(expected, Runtime.Run(scope => scope.LinearRows(scope.Graph.Input("x", [B, 3]), 6, 2, 2), new(("weight", w), ("bias", b)), ("x", x)));
    }

    [Fact]
    public void GatedMlp_MultipliesByTheActivatedGate()
    {
        var (gate, up, down, x) = (Runtime.Numbers(1, 6, 3), Runtime.Numbers(2, 6, 3), Runtime.Numbers(3, 3, 6), Runtime.Numbers(4, 2, 5, 3));
        double Dot(Tensor<float> w, long row, long[] at) => Enumerable.Range(0, 3).Sum(i => (double)w[row, i] * x[at[0], at[1], i]);
        double Hidden(long row, long[] at) => Dot(gate, row, at) / (1 + Math.Exp(-Dot(gate, row, at))) * Dot(up, row, at);
        var expected = Runtime.Make([2, 5, 3], at => Enumerable.Range(0, 6).Sum(row => down[at[2], row] * Hidden(row, at)));
        Runtime.Near(expected, Runtime.Run(scope => scope.GatedMlp(scope.Graph.Input("x", [B, N, 3]), 6, v => v.Silu()), new(("gate_proj.weight", gate), ("up_proj.weight", up), ("down_proj.weight", down)), ("x", x)));
    }

    [Fact]
    public void LowRank_AddsTheScaledProduct()
    {
        var (w, down, up, x) = (Runtime.Numbers(1, 4, 3), Runtime.Numbers(2, 2, 3), Runtime.Numbers(3, 4, 2), Runtime.Numbers(4, 5, 3));
        var expected = Runtime.Make([5, 4], at => Enumerable.Range(0, 3).Sum(i => (w[at[1], i] + 0.5 * Enumerable.Range(0, 2).Sum(r => (double)up[at[1], r] * down[r, i])) * x[at[0], i]));
        var y = Runtime.Run(scope => scope.Linear(scope.Graph.Input("x", [B, 3]), scope.LowRankWeight(4, 3, scope["lora_A"].Data("weight", 2, 3), scope["lora_B"].Data("weight", 4, 2), 0.5), null),
            new(("weight", w), ("lora_A.weight", down), ("lora_B.weight", up)), ("x", x));
        Runtime.Near(expected, y);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void MixtureOfExperts_SumsTheChosen(bool renormalize)
    {
        const int experts = 4, chosen = 2;
        var (x, router) = (Runtime.Numbers(1, 2, 3, 5), Runtime.Numbers(2, experts, 5));
        var maps = Enumerable.Range(0, experts).Select(i => Runtime.Numbers(10 + i, 5, 5)).ToArray();
        var expected = Runtime.Make([2, 3, 5], at =>
        {
            double Dot(Tensor<float> w, long row) => Enumerable.Range(0, 5).Sum(i => (double)w[row, i] * x[at[0], at[1], i]);
            var scores = Enumerable.Range(0, experts).Select(i => Math.Exp(Dot(router, i))).ToArray();
            var best = Enumerable.Range(0, experts).OrderByDescending(i => scores[i]).Take(chosen).ToArray();
            return best.Sum(i => scores[i] * Dot(maps[i], at[2])) / (renormalize ? best.Sum(i => scores[i]) : scores.Sum());
        });
        var y = Runtime.Run(scope =>
        {
            var input = scope.Graph.Input("x", [B, N, 5]);
            return input.MixtureOfExperts(scope["gate"].Linear(input, experts, bias: false).Softmax(), chosen, renormalize, (expert, value) => scope["experts"][expert].Linear(value, 5, bias: false));
        }, new([("gate.weight", router), .. maps.Select((map, i) => ($"experts.{i}.weight", map))]), ("x", x));
        Runtime.Near(expected, y);
    }
}
