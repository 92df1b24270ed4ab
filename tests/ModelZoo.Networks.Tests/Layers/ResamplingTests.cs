using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class ResamplingTests
{
    // Sizes up, down, odd factors, one pixel, and 1 -> 41, where PyTorch's float arithmetic rounds to the pixel before.
    public static TheoryData<long, long> Sizes => new() { { 5, 5 }, { 5, 10 }, { 5, 13 }, { 12, 5 }, { 12, 4 }, { 7, 1 }, { 1, 6 }, { 2, 82 }, { 16, 14 }, { 14, 37 } };

    [Theory, MemberData(nameof(Sizes))]
    public void Nearest_HasPyTorchsRounding(long from, long to)
    {
        var scale = (float)from / to;
        Along(from, to, Interpolation.Nearest, false, false, 1, o => [(Math.Min((long)MathF.Floor(o * scale), from - 1), 1)], 0);
        Along(from, to, Interpolation.NearestExact, false, false, 2, o => [(Math.Min((long)MathF.Floor((o + 0.5f) * scale), from - 1), 1)], 0);
    }

    [Theory, MemberData(nameof(Sizes))]
    public void Linear_BothConventions_AnyRank(long from, long to)
    {
        foreach (var corners in new[] { false, true })
        {
            IEnumerable<(long, double)> Taps(long o)
            {
                var source = corners ? (to > 1 ? o * (from - 1.0) / (to - 1) : 0) : Math.Max((o + 0.5) * from / to - 0.5, 0);
                var low = Math.Min((long)source, from - 1);
                return [(low, 1 - (source - low)), (Math.Min(low + 1, from - 1), source - low)];
            }

            for (var dimensions = 1; dimensions <= 3; dimensions++) Along(from, to, Interpolation.Linear, corners, false, dimensions, Taps, 1e-5);
        }
    }

    [Theory, MemberData(nameof(Sizes))]
    public void Cubic_BothConventions(long from, long to)
    {
        foreach (var corners in new[] { false, true })
        {
            Along(from, to, Interpolation.Cubic, corners, false, 2, o =>
            {
                var source = corners ? (to > 1 ? o * (from - 1.0) / (to - 1) : 0) : (o + 0.5) * from / to - 0.5;
                var low = (long)Math.Floor(source);
                return Enumerable.Range(-1, 4).Select(k => (Math.Clamp(low + k, 0, from - 1), Keys(source - low - k, -0.75)));
            }, 1e-5);
        }
    }

    [Theory, MemberData(nameof(Sizes))]
    public void Antialias_WidensTheKernelWhenShrinking(long from, long to)
    {
        foreach (var mode in new[] { Interpolation.Linear, Interpolation.Cubic })
        {
            Along(from, to, mode, false, true, 2, o =>
            {
                double scale = (double)from / to, wide = Math.Max(scale, 1), support = (mode == Interpolation.Cubic ? 2 : 1) * wide, centre = scale * (o + 0.5);
                var (start, end) = (Math.Max((long)(centre - support + 0.5), 0), Math.Min((long)(centre + support + 0.5), from));
                var weights = Enumerable.Range((int)start, (int)(end - start)).Select(i => mode == Interpolation.Cubic ? Keys((i - centre + 0.5) / wide, -0.5) : Math.Max(0, 1 - Math.Abs((i - centre + 0.5) / wide))).ToArray();
                return weights.Select((weight, i) => (start + i, weight / weights.Sum()));
            }, 1e-5);
        }
    }

    [Theory, MemberData(nameof(Sizes))]
    public void Area_AveragesTheWindow(long from, long to) => Along(from, to, Interpolation.Area, false, false, 2, o =>
    {
        var (start, end) = (o * from / to, ((o + 1) * from + to - 1) / to);
        return Enumerable.Range((int)start, (int)(end - start)).Select(i => ((long)i, 1.0 / (end - start)));
    }, 1e-5);

    [Theory]
    [InlineData(5, 1.5)]
    [InlineData(7, 2.3)]
    [InlineData(9, 0.4)]
    public void InterpolateBy_UsesTheFactorItself(long from, double factor)
    {
        var to = (long)(from * factor);
        var x = Runtime.Numbers(1, 1, 2, from);
        var nearest = Runtime.Make([1, 2, to], at => x[0, at[1], Math.Min((long)MathF.Floor(at[2] * (float)(1 / factor)), from - 1)]);
        var linear = Runtime.Make([1, 2, to], at =>
        {
            var source = Math.Max((at[2] + 0.5) / factor - 0.5, 0);
            var low = Math.Min((long)source, from - 1);
            return x[0, at[1], low] * (1 - (source - low)) + x[0, at[1], Math.Min(low + 1, from - 1)] * (source - low);
        });
        Runtime.Near(nearest, Runtime.Run(graph => graph.Input("x", Shape.Of(1, 2, from)).InterpolateBy(Interpolation.Nearest, factor), ("x", x)), 0);
        Runtime.Near(linear, Runtime.Run(graph => graph.Input("x", Shape.Of(1, 2, from)).InterpolateBy(Interpolation.Linear, factor), ("x", x)));
    }

    // Of PyTorch 1.13: rows stay 2 whatever the factor 1.2, columns go from 4 to 2.
    [Theory]
    [InlineData(Interpolation.Linear, false, new[] { 0f, 4f, 3.666667f, -1f })]
    [InlineData(Interpolation.Linear, true, new[] { -0.285714f, 1.777778f, 2.821429f, 1.194444f })]
    [InlineData(Interpolation.Cubic, false, new[] { -0.500490f, 4.262587f, 3.002170f, 0.132812f })]
    [InlineData(Interpolation.Cubic, true, new[] { -0.463862f, 1.758088f, 3.046703f, 1.147854f })]
    public void InterpolateBy_ExtentThatStays_IsWhatPyTorchGives(Interpolation mode, bool antialias, float[] expected) =>
        Runtime.Near(Tensor.Create(expected, 1, 1, 2, 2), Runtime.Run(graph => graph.Input("x", [1, 1, 2, 4]).InterpolateBy(mode, [1.2, 0.6], antialias: antialias), ("x", Small)), 2e-6);

    [Theory]
    [InlineData(Interpolation.Linear, new[] { 0.5f, 1.333333f, 1.03125f, 1.25f, 2.09375f, 1.083333f })]
    [InlineData(Interpolation.Cubic, new[] { 0.490950f, 1.236344f, 1.036264f, 1.162500f, 2.117583f, 1.016071f })]
    public void Antialias_WithAlignedCorners_IsWhatPyTorchGives(Interpolation mode, float[] expected) =>
        Runtime.Near(Tensor.Create(expected, 1, 1, 3, 2), Runtime.Run(graph => graph.Input("x", [1, 1, 2, 4]).Interpolate(mode, [3, 2], alignCorners: true, antialias: true), ("x", Small)), 2e-6);

    private static readonly Tensor<float> Small = Tensor.Create([1f, -2, 4, 0, 3, 5, -1, 2], 1, 1, 2, 4);

    [Fact]
    public void Interpolate_AnotherNumberOfSizes_IsRefused()
    {
        var x = new Graph("g").Input("x", [1, 1, 4, 4]);
        Assert.Throws<GraphException>(() => x.Interpolate(Interpolation.Linear, [2]));
        Assert.Throws<GraphException>(() => x.InterpolateBy(Interpolation.Linear, [2, 2, 2]));
    }

    [Fact]
    public void InterpolateBy_Extents_AreRoundedDownInDoublePrecision()
    {
        Assert.Equal(14, new Graph("g").Input("x", [1, 1, 20]).InterpolateBy(Interpolation.Linear, 0.7).Shape[2].Size);
        Assert.Equal([1, 1, 14], Runtime.Run(graph => graph.Input("x", [1, 1, 20]).InterpolateBy(Interpolation.Linear, 0.7), ("x", Runtime.Numbers(1, 1, 1, 20))).Shape.ToArray());
        Assert.Throws<GraphException>(() => new Graph("g").Input("x", [1, 1, 2]).InterpolateBy(Interpolation.Area, 0.4));
    }

    // Sizes at which the exact quotient rounds to another pixel than PyTorch's in single precision.
    [Theory]
    [InlineData(Interpolation.Nearest, 17, 34)]
    [InlineData(Interpolation.Nearest, 21, 3)]
    [InlineData(Interpolation.Nearest, 2, 82)]
    [InlineData(Interpolation.NearestExact, 24, 37)]
    [InlineData(Interpolation.NearestExact, 7, 3)]
    public void Nearest_SymbolicExtents_AreThoseOfKnownOnes(Interpolation mode, long from, long to)
    {
        var x = Runtime.Numbers(1, 2, 1, from);
        var known = Runtime.Run(graph => graph.Input("x", Shape.Of(2, 1, from)).Interpolate(mode, [to]), ("x", x));
        Runtime.Near(known, Runtime.Run(graph => graph.Input("x", Runtime.Symbols(3)).Interpolate(mode, [to]), ("x", x)), 0);
        Runtime.Near(known, Runtime.Run(graph =>
        {
            var target = graph.Input("target", [Dim.Symbol("to")]);
            return graph.Input("x", Runtime.Symbols(3)).Interpolate(mode, [target.Shape[0]]);
        }, ("x", x), ("target", Tensor.Zeros<float>(to))), 0);
    }

    [Fact]
    public void Upsample_SymbolicSize_RepeatsPixels()
    {
        var x = Runtime.Numbers(1, 2, 3, 4, 5);
        var y = Runtime.Run(graph => graph.Input("x", Runtime.Symbols(4)).Upsample(2), ("x", x));
        Runtime.Near(Runtime.Make([2, 3, 8, 10], at => x[at[0], at[1], at[2] / 2, at[3] / 2]), y, 0);
    }

    [Fact]
    public void PixelShuffle_AndBack()
    {
        var x = Runtime.Numbers(1, 2, 12, 3, 5);
        var expected = Runtime.Make([2, 3, 6, 10], at => x[at[0], at[1] * 4 + at[2] % 2 * 2 + at[3] % 2, at[2] / 2, at[3] / 2]);
        Value Input(Graph graph) => graph.Input("x", [Dim.Symbol("b"), 12, Dim.Symbol("h"), Dim.Symbol("w")]);
        Runtime.Near(expected, Runtime.Run(graph => Input(graph).PixelShuffle(2), ("x", x)), 0);
        Runtime.Near(x, Runtime.Run(graph => Input(graph).PixelShuffle(2).PixelUnshuffle(2), ("x", x)), 0);
    }

    [Fact]
    public void Patchify_ThenUnpatchify_IsIdentity()
    {
        var x = Runtime.Numbers(1, 2, 3, 4, 6);
        var y = Runtime.Run(graph => graph.Input("x", [Dim.Symbol("b"), 3, 4, 6]).Patchify(2), ("x", x));
        Runtime.Near(Runtime.Make([2, 6, 12], at => x[at[0], at[2] % 3, at[1] / 3 * 2 + at[2] / 6, at[1] % 3 * 2 + at[2] / 3 % 2]), y, 0);
        Runtime.Near(x, Runtime.Run(graph => graph.Input("x", [Dim.Symbol("b"), 3, 4, 6]).Patchify(2).Unpatchify(2, 2, 3, 3), ("x", x)), 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Pools_CoverTheirWindows(bool countPadding)
    {
        var x = Runtime.Numbers(1, 2, 3, 7, 6);
        IEnumerable<float> Window(long[] at, bool padding) => Runtime.Positions(3, 3).Select(k => (at[2] * 2 - 1 + k[0], at[3] * 2 - 1 + k[1]))
            .Where(p => padding || p is { Item1: >= 0 and < 7, Item2: >= 0 and < 6 }).Select(p => p is { Item1: >= 0 and < 7, Item2: >= 0 and < 6 } ? x[at[0], at[1], p.Item1, p.Item2] : 0);
        Runtime.Near(Runtime.Make([2, 3, 4, 3], at => Window(at, countPadding).Average()), Runtime.Run(graph => graph.Input("x", Runtime.Symbols(4)).AveragePool(3, 2, 1, countPadding), ("x", x)));
        Runtime.Near(Runtime.Make([2, 3, 4, 3], at => Window(at, false).Max()), Runtime.Run(graph => graph.Input("x", Runtime.Symbols(4)).MaxPool(3, 2, 1), ("x", x)));
    }

    [Fact]
    public void MaxPool_CeilMode_KeepsTheLastPartialWindow()
    {
        var x = Runtime.Numbers(1, 1, 2, 6, 8);
        var expected = Runtime.Make([1, 2, 3, 4], at => Runtime.Positions(3, 3).Select(k => (at[2] * 2 + k[0], at[3] * 2 + k[1])).Where(p => p.Item1 < 6 && p.Item2 < 8).Max(p => x[at[0], at[1], p.Item1, p.Item2]));
        Runtime.Near(expected, Runtime.Run(graph => graph.Input("x", [1, 2, 6, 8]).MaxPool(3, 2, ceil: true), ("x", x)), 0);
    }

    // A window that would begin in the padding at the end does not count, as in PyTorch.
    [Theory]
    [InlineData(3, 2, 2, 1, 2)]
    [InlineData(12, 1, 3, 0, 4)]
    [InlineData(11, 2, 3, 1, 4)]
    [InlineData(8, 3, 2, 0, 4)]
    [InlineData(7, 5, 3, 2, 3)]
    public void MaxPool_CeilMode_CountsWindowsThatBeginInside(long length, long kernel, long stride, long padding, long windows)
    {
        var x = Runtime.Numbers(1, 1, 2, length);
        var expected = Runtime.Make([1, 2, windows], at => Runtime.Positions(kernel).Select(k => at[2] * stride - padding + k[0]).Where(i => i >= 0 && i < length).Max(i => x[0, at[1], i]));
        Runtime.Near(expected, Runtime.Run(graph => graph.Input("x", Shape.Of(1, 2, length)).MaxPool(kernel, stride, padding, ceil: true), ("x", x)), 0);
        Runtime.Near(expected, Runtime.Run(graph => graph.Input("x", Runtime.Symbols(3)).MaxPool(kernel, stride, padding, ceil: true), ("x", x)), 0);
    }

    // Every spatial axis is resampled from one size to the other; the expected value is the product of one-dimensional taps.
    private static void Along(long from, long to, Interpolation mode, bool corners, bool antialias, int dimensions, Func<long, IEnumerable<(long Index, double Weight)>> taps, double tolerance)
    {
        // Only the first spatial axis has the sizes under test when there are several: the others go 3 -> 4, or stay where that is enough.
        long[] spatial = [from, .. Enumerable.Repeat(2L, dimensions - 1)], target = [to, .. Enumerable.Repeat(2L, dimensions - 1)];
        long[] shape = [1, 2, .. spatial];
        var x = Runtime.Numbers(1, shape);
        var expected = Runtime.Make([1, 2, .. target], at => taps(at[2]).Sum(tap => tap.Weight * x[[at[0], at[1], tap.Index, .. at[3..]]]));
        Dim[] size = [.. target.Select(n => (Dim)n)];
        Runtime.Near(expected, Runtime.Run(graph => graph.Input("x", Shape.Of(shape)).Interpolate(mode, size, corners, antialias), ("x", x)), tolerance);
        if (dimensions == 2)
        {
            var turned = Runtime.Make([1, 2, 2, from], at => x[at[0], at[1], at[3], at[2]]);
            Runtime.Near(Runtime.Make([1, 2, 2, to], at => expected[at[0], at[1], at[3], at[2]]), Runtime.Run(graph => graph.Input("x", Shape.Of(1, 2, 2, from)).Interpolate(mode, [2, to], corners, antialias), ("x", turned)), tolerance);
        }
    }

    // The cubic convolution kernel of Keys, 1981.
    private static double Keys(double t, double a)
    {
        t = Math.Abs(t);
        return t < 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
    }
}
