using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class NormalizationTests
{
    [Theory]
    [InlineData(0, 1e-5)]
    [InlineData(0, 1e-6)]
    [InlineData(300, 1e-5)]                                        // a mean far from zero must not eat the variance
    public void LayerNorm_UsesBiasedVarianceAndEpsilon(double offset, double epsilon)
    {
        var (x, w, b) = (Shifted(Runtime.Numbers(1, 2, 3, 96), offset), Runtime.Numbers(2, 96), Runtime.Numbers(3, 96));
        var plain = Normalized(x, at => Runtime.Positions(96).Select(k => x[at[0], at[1], k[0]]), epsilon);
        var weighted = Runtime.Make([2, 3, 96], at => plain[at] * w[at[2]] + b[at[2]]);
        Value Input(Graph graph) => graph.Input("x", [Dim.Symbol("b"), Dim.Symbol("n"), 96]);
        Runtime.Near(plain, Runtime.Run(graph => Input(graph).LayerNorm(epsilon), ("x", x)), 3e-5);
        Runtime.Near(weighted, Runtime.Run(scope => scope.LayerNorm(Input(scope.Graph), epsilon), new(("weight", w), ("bias", b)), ("x", x)), 3e-5);
    }

    [Fact]
    public void LayerNormWithoutBias_OnlyScales()
    {
        var (x, w) = (Runtime.Numbers(1, 2, 3, 8), Runtime.Numbers(2, 8));
        var plain = Normalized(x, at => Runtime.Positions(8).Select(k => x[at[0], at[1], k[0]]), 1e-5);
        Runtime.Near(Runtime.Make([2, 3, 8], at => plain[at] * w[at[2]]), Runtime.Run(scope => scope.LayerNorm(scope.Graph.Input("x", [2, 3, 8]), bias: false), new(("weight", w)), ("x", x)));
    }

    [Fact]
    public void RmsNorm_DividesByTheRootMeanSquare()
    {
        var (x, w) = (Runtime.Numbers(1, 2, 3, 16), Runtime.Numbers(2, 16));
        double Rms(long[] at) => Math.Sqrt(Runtime.Positions(16).Average(k => (double)x[at[0], at[1], k[0]] * x[at[0], at[1], k[0]]) + 1e-6);
        Value Input(Graph graph) => graph.Input("x", [Dim.Symbol("b"), Dim.Symbol("n"), 16]);
        Runtime.Near(Runtime.Make([2, 3, 16], at => x[at] / Rms(at)), Runtime.Run(graph => Input(graph).RmsNorm(), ("x", x)));
        Runtime.Near(Runtime.Make([2, 3, 16], at => x[at] / Rms(at) * w[at[2]]), Runtime.Run(scope => scope.RmsNorm(Input(scope.Graph)), new(("weight", w)), ("x", x)));
        Runtime.Near(Runtime.Make([2, 3, 16], at => x[at] / Rms(at) * (1 + w[at[2]])), Runtime.Run(scope => scope.RmsNorm(Input(scope.Graph), offset: 1), new(("weight", w)), ("x", x)));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(6, 1)]
    [InlineData(2, 2)]
    [InlineData(2, 3)]
    public void GroupNorm_AnyRank_NormalisesEachGroup(long groups, int dimensions)
    {
        long[] spatial = [.. new long[] { 5, 4, 3 }.Take(dimensions)];
        long[] shape = [2, 6, .. spatial];
        var (x, w, b) = (Runtime.Numbers(1, shape), Runtime.Numbers(2, 6), Runtime.Numbers(3, 6));
        var plain = Normalized(x, at => Runtime.Positions([6 / groups, .. spatial]).Select(k => x[[at[0], at[1] / (6 / groups) * (6 / groups) + k[0], .. k[1..]]]), 1e-5);
        var weighted = Runtime.Make(shape, at => plain[at] * w[at[1]] + b[at[1]]);
        Value Input(Graph graph) => graph.Input("x", [Dim.Symbol("b"), 6, .. Runtime.Symbols(dimensions + 2)[2..]]);
        Runtime.Near(plain, Runtime.Run(graph => Input(graph).GroupNorm(groups), ("x", x)));
        Runtime.Near(weighted, Runtime.Run(scope => scope.GroupNorm(Input(scope.Graph), groups), new(("weight", w), ("bias", b)), ("x", x)));
    }

    [Fact]
    public void BatchNorm_UsesTheRunningStatistics()
    {
        var (x, mean, w, b) = (Runtime.Numbers(1, 2, 6, 3, 2), Runtime.Numbers(2, 6), Runtime.Numbers(3, 6), Runtime.Numbers(4, 6));
        var variance = Runtime.Make([6], at => 0.1 + at[0]);
        var expected = Runtime.Make([2, 6, 3, 2], at => (x[at] - mean[at[1]]) / Math.Sqrt(variance[at[1]] + 1e-5) * w[at[1]] + b[at[1]]);
        Runtime.Near(expected, Runtime.Run(scope => scope.BatchNorm(scope.Graph.Input("x", [Dim.Symbol("b"), 6, 3, 2])), new(("running_mean", mean), ("running_var", variance), ("weight", w), ("bias", b)), ("x", x)));
    }

    [Fact]
    public void GroupNorm_GroupsThatDoNotDivide_AreRefused() => Assert.Throws<GraphException>(() => new Graph("g").Input("x", [1, 3, 2]).GroupNorm(2));

    [Fact]
    public void BatchNorm_AnotherEpsilonOverOneCheckpoint_IsItsOwn()
    {
        var x = Runtime.Numbers(1, 1, 3);
        TestWeights weights = new(("running_mean", Tensor.Zeros<float>(3)), ("running_var", Runtime.Make([3], _ => 0.5)));
        foreach (var epsilon in new[] { 0.5, 3.5 })
            Runtime.Near(Runtime.Make([1, 3], at => x[at] / Math.Sqrt(0.5 + epsilon)), Runtime.Run(scope => scope.BatchNorm(scope.Graph.Input("x", [1, 3]), epsilon, affine: false), weights, ("x", x)));
    }

    [Fact]
    public void ModulateAndGate_ApplyPerSample()
    {
        var (x, shift, scale) = (Runtime.Numbers(1, 2, 3, 4), Runtime.Numbers(2, 2, 4), Runtime.Numbers(3, 2, 4));
        var expected = Runtime.Make([2, 3, 4], at => x[at] * (1 + scale[at[0], at[2]]) + shift[at[0], at[2]]);
        var y = Runtime.Run(graph => graph.Input("x", [Dim.Symbol("b"), Dim.Symbol("n"), 4]).Modulate(graph.Input("shift", [Dim.Symbol("b"), 4]), graph.Input("scale", [Dim.Symbol("b"), 4])), ("x", x), ("shift", shift), ("scale", scale));
        Runtime.Near(expected, y);
    }

    private static Tensor<float> Shifted(Tensor<float> x, double offset) => Runtime.Make(x.Shape.ToArray(), at => x[at] + offset);

    private static Tensor<float> Normalized(Tensor<float> x, Func<long[], IEnumerable<float>> group, double epsilon) => Runtime.Make(x.Shape.ToArray(), at =>
    {
        var values = group(at).Select(value => (double)value).ToArray();
        var mean = values.Average();
        return (x[at] - mean) / Math.Sqrt(values.Average(value => (value - mean) * (value - mean)) + epsilon);
    });
}
