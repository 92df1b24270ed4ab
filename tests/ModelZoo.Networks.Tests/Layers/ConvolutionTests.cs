using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class ConvolutionTests
{
    [Theory]
    [InlineData(1, 3, 1, 0, 1, 1)]
    [InlineData(1, 4, 2, 3, 2, 2)]
    [InlineData(2, 3, 2, 1, 1, 1)]
    [InlineData(2, 3, 1, 2, 2, 4)]
    [InlineData(3, 2, 2, 1, 1, 2)]
    public void Conv_AnyRank_EqualsTheSum(int dimensions, long kernel, long stride, long padding, long dilation, long groups)
    {
        long[] shape = [2, 4, .. new long[] { 9, 7, 6 }.Take(dimensions)], kernels = [.. Enumerable.Repeat(kernel, dimensions)];
        var (x, w, b) = (Runtime.Numbers(1, shape), Runtime.Numbers(2, [8, 4 / groups, .. kernels]), Runtime.Numbers(3, 8));
        long[] output = [2, 8, .. shape[2..].Select(n => (n + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1)];
        var expected = Runtime.Make(output, at =>
        {
            double sum = b[at[1]];
            foreach (var k in Runtime.Positions([4 / groups, .. kernels]))
            {
                long[] from = [at[0], at[1] / (8 / groups) * (4 / groups) + k[0], .. Enumerable.Range(0, dimensions).Select(i => at[i + 2] * stride - padding + k[i + 1] * dilation)];
                if (Inside(from, shape)) sum += (double)x[from] * w[[at[1], .. k]];
            }

            return sum;
        });
        var spatial = Runtime.Symbols(dimensions + 2)[2..];
        var y = Runtime.Run(scope => scope.Conv(scope.Graph.Input("x", [Dim.Symbol("d0"), 4, .. spatial]), 8, kernel, stride, padding, dilation, groups), new(("weight", w), ("bias", b)), ("x", x));
        Runtime.Near(expected, y);
    }

    [Theory]
    [InlineData(1, 4, 2, 1, 0, 1, 1)]
    [InlineData(1, 5, 3, 1, 2, 2, 1)]
    [InlineData(2, 3, 2, 1, 1, 1, 1)]
    [InlineData(2, 3, 1, 0, 0, 4, 2)]
    [InlineData(3, 2, 2, 0, 0, 1, 1)]
    [InlineData(1, 5, 1, 2, 1, 1, 2)]                              // an output padding of a stride or more
    [InlineData(2, 2, 2, 0, 2, 2, 3)]
    [InlineData(1, 1, 1, 1, 2, 1, 3)]
    public void ConvTranspose_AnyRank_EqualsTheScatter(int dimensions, long kernel, long stride, long padding, long outputPadding, long groups, long dilation)
    {
        long[] shape = [2, 4, .. new long[] { 5, 4, 3 }.Take(dimensions)], kernels = [.. Enumerable.Repeat(kernel, dimensions)];
        var (x, w, b) = (Runtime.Numbers(1, shape), Runtime.Numbers(2, [4, 8 / groups, .. kernels]), Runtime.Numbers(3, 8));
        long[] output = [2, 8, .. shape[2..].Select(n => (n - 1) * stride - 2 * padding + dilation * (kernel - 1) + outputPadding + 1)];
        var expected = Runtime.Make(output, at => b[at[1]]);
        foreach (var from in Runtime.Positions(shape))
        {
            foreach (var k in Runtime.Positions([8 / groups, .. kernels]))
            {
                long[] to = [from[0], from[1] / (4 / groups) * (8 / groups) + k[0], .. Enumerable.Range(0, dimensions).Select(i => from[i + 2] * stride - padding + k[i + 1] * dilation)];
                if (Inside(to, output)) expected[to] += x[from] * w[[from[1], .. k]];
            }
        }

        var spatial = Runtime.Symbols(dimensions + 2)[2..];
        var y = Runtime.Run(scope => scope.ConvTranspose(scope.Graph.Input("x", [Dim.Symbol("d0"), 4, .. spatial]), 8, kernel, stride, padding, outputPadding, groups, dilation: dilation), new(("weight", w), ("bias", b)), ("x", x));
        Runtime.Near(expected, y);
    }

    [Theory]
    [InlineData(PadMode.Constant)]
    [InlineData(PadMode.Reflect)]
    [InlineData(PadMode.Edge)]
    [InlineData(PadMode.Wrap)]
    public void Pad_AnyMode_EqualsTheMirrorRules(PadMode mode)
    {
        var x = Runtime.Numbers(1, 2, 3, 5);
        long Source(long i) => mode switch
        {
            PadMode.Reflect => i < 0 ? -i : i >= 5 ? 8 - i : i,
            PadMode.Edge => Math.Clamp(i, 0, 4),
            PadMode.Wrap => (i + 5) % 5,
            _ => i is < 0 or > 4 ? -1 : i,
        };
        var expected = Runtime.Make([2, 3, 12], at => Source(at[2] - 4) is >= 0 and var i ? x[at[0], at[1], i] : 0);
        Runtime.Near(expected, Runtime.Run(graph => graph.Input("x", Runtime.Symbols(3)).Pad(-1, 4, 3, mode), ("x", x)), 0);
    }

    [Theory]
    [InlineData(7, 1, 1)]
    [InlineData(4, 2, 1)]
    [InlineData(3, 1, 3)]
    public void CausalConv_OutputNeverSeesTheFuture(long kernel, long stride, long dilation)
    {
        var (w, b) = (Runtime.Numbers(2, 3, 2, kernel), Runtime.Numbers(3, 3));
        Tensor<float> Run(Tensor<float> x) => Runtime.Run(scope => scope.CausalConv(scope.Graph.Input("x", [1, 2, Dim.Symbol("t")]), 3, kernel, stride, dilation), new(("weight", w), ("bias", b)), ("x", x));
        var full = Runtime.Numbers(1, 1, 2, 16);
        var y = Run(full);
        var changed = Runtime.Make([1, 2, 16], at => at[2] < 8 ? full[at] : -full[at]);
        var z = Run(changed);
        for (var channel = 0; channel < 3; channel++)
        {
            for (var t = 0; t < 8 / stride; t++) Assert.Equal(y[0, channel, t], z[0, channel, t]);
        }
    }

    [Fact]
    public void WeightNorm_BothLayouts_AreGainTimesDirection()
    {
        var (g, v, b, x) = (Runtime.Numbers(1, 4, 1, 1), Runtime.Numbers(2, 4, 3, 5), Runtime.Numbers(3, 4), Runtime.Numbers(4, 1, 3, 11));
        var w = Runtime.Make([4, 3, 5], at => g[at[0], 0, 0] * v[at] / Math.Sqrt(Runtime.Positions(3, 5).Sum(k => (double)v[at[0], k[0], k[1]] * v[at[0], k[0], k[1]])));
        var expected = Runtime.Run(scope => scope.Conv(scope.Graph.Input("x", [1, 3, 11]), 4, 5), new(("weight", w), ("bias", b)), ("x", x));
        Tensor<float> Run(params (string, Tensor<float>)[] weights) => Runtime.Run(scope => scope.WeightNormConv(scope.Graph.Input("x", [1, 3, 11]), 4, 5), new(weights), ("x", x));
        Runtime.Near(expected, Run(("weight_g", g), ("weight_v", v), ("bias", b)));
        Runtime.Near(expected, Run(("parametrizations.weight.original0", g), ("parametrizations.weight.original1", v), ("bias", b)));
    }

    [Fact]
    public void WeightNormConvTranspose_NormalisesEachInputChannel()
    {
        var (g, v, b, x) = (Runtime.Numbers(1, 4, 1, 1), Runtime.Numbers(2, 4, 3, 5), Runtime.Numbers(3, 6), Runtime.Numbers(4, 1, 4, 7));
        var w = Runtime.Make([4, 3, 5], at => g[at[0], 0, 0] * v[at] / Math.Sqrt(Runtime.Positions(3, 5).Sum(k => (double)v[at[0], k[0], k[1]] * v[at[0], k[0], k[1]])));
        Value Input(Graph graph) => graph.Input("x", [Dim.Symbol("b"), 4, Dim.Symbol("t")]);
        Runtime.Near(Runtime.Run(scope => scope.ConvTranspose(Input(scope.Graph), 6, 5, 3, 1, 2, 2), new(("weight", w), ("bias", b)), ("x", x)),
            Runtime.Run(scope => scope.WeightNormConvTranspose(Input(scope.Graph), 6, 5, 3, 1, 2, 2), new(("weight_g", g), ("weight_v", v), ("bias", b)), ("x", x)));
    }

    [Fact]
    public void SpectralNorm_DividesByTheStoredSingularValue()
    {
        var (w, u, v, x) = (Runtime.Numbers(1, 4, 3, 2), Runtime.Numbers(2, 4), Runtime.Numbers(3, 6), Runtime.Numbers(4, 1, 3, 9));
        var sigma = Runtime.Positions(4, 3, 2).Sum(at => (double)u[at[0]] * w[at] * v[at[1] * 2 + at[2]]);
        var expected = Runtime.Run(scope => scope.Conv(scope.Graph.Input("x", [1, 3, 9]), 4, 2, bias: false), new(("weight", Runtime.Make([4, 3, 2], at => w[at] / sigma))), ("x", x));
        var y = Runtime.Run(scope => scope.Conv(scope.Graph.Input("x", [1, 3, 9]), scope.SpectralNorm(4, 3, 2), null), new(("weight_orig", w), ("weight_u", u), ("weight_v", v)), ("x", x));
        Runtime.Near(expected, y);
    }

    [Fact]
    public void StandardizedWeight_HasNoMeanAndUnitVariance()
    {
        var (w, x) = (Runtime.Numbers(1, 4, 3, 2), Runtime.Numbers(4, 1, 3, 9));
        double Mean(long row) => Runtime.Positions(3, 2).Average(k => w[row, k[0], k[1]]);
        double Variance(long row) => Runtime.Positions(3, 2).Average(k => Math.Pow(w[row, k[0], k[1]] - Mean(row), 2));
        var expected = Runtime.Run(scope => scope.Conv(scope.Graph.Input("x", [1, 3, 9]), 4, 2, bias: false),
            new(("weight", Runtime.Make([4, 3, 2], at => (w[at] - Mean(at[0])) / Math.Sqrt(Variance(at[0]) + 1e-5)))), ("x", x));
        var y = Runtime.Run(scope => scope.Conv(scope.Graph.Input("x", [1, 3, 9]), scope.StandardizedWeight([4, 3, 2], 1e-5), null), new(("weight", w)), ("x", x));
        Runtime.Near(expected, y);
    }

    [Fact]
    public void PatchEmbed_MapsEachPatch()
    {
        var (w, b, x) = (Runtime.Numbers(1, 5, 3, 2, 2), Runtime.Numbers(2, 5), Runtime.Numbers(3, 2, 3, 4, 6));
        var expected = Runtime.Make([2, 6, 5], at => b[at[2]] + Runtime.Positions(3, 2, 2).Sum(k => (double)w[at[2], k[0], k[1], k[2]] * x[at[0], k[0], at[1] / 3 * 2 + k[1], at[1] % 3 * 2 + k[2]]));
        Runtime.Near(expected, Runtime.Run(scope => scope.PatchEmbed(scope.Graph.Input("x", [Dim.Symbol("b"), 3, 4, 6]), 5, 2), new(("weight", w), ("bias", b)), ("x", x)));
    }

    private static bool Inside(long[] index, long[] shape) => index.Zip(shape).All(pair => pair.First >= 0 && pair.First < pair.Second);
}
