using ModelZoo.Contracts;
using ModelZoo.Networks.Quantizers;

namespace ModelZoo.Networks.Tests.Quantizers;

public class ScalarQuantizerTests
{
    [Theory]
    [InlineData(new[] { 8, 5, 5, 5 }, false)]
    [InlineData(new[] { 7, 4 }, false)]
    [InlineData(new[] { 2, 3, 8 }, true)]
    public void Fsq_EveryId_SurvivesTheRoundTrip(int[] levels, bool symmetric)
    {
        var size = levels.Aggregate(1, (product, level) => product * level);
        var ids = Tensor.Create([.. Enumerable.Range(0, size).Select(i => (long)i)], size);
        var back = Runtime.Run<long>(g => FiniteScalarQuantizer.IdsOf(FiniteScalarQuantizer.CodesOf(g.Input("ids", ElementType.Int64, [Dim.Symbol("n")]), levels, symmetric), levels, symmetric), ("ids", ids));
        Assert.Equal(ids.Span.ToArray(), back.Span.ToArray());
        var codes = Runtime.Run(g => FiniteScalarQuantizer.CodesOf(g.Input("ids", ElementType.Int64, [Dim.Symbol("n")]), levels, symmetric), ("ids", ids));
        Assert.All(codes.Span.ToArray(), code => Assert.InRange(code, -1, 1));
    }

    [Theory]
    [InlineData(new[] { 8, 5, 4 }, false, false)]
    [InlineData(new[] { 8, 5, 4 }, false, true)]
    [InlineData(new[] { 8, 5, 2 }, true, false)]
    [InlineData(new[] { 8, 5, 2 }, true, true)]
    public void Fsq_Round_IsTheFormula(int[] levels, bool symmetric, bool clamp)
    {
        var z = Runtime.Make([40, levels.Length], at => (at[0] - 20) / 7.3 + at[1] * 0.01);
        var expected = Runtime.Make([40, levels.Length], at =>
        {
            double Squash(double v) => clamp ? Math.Clamp(v, -1, 1) : Math.Tanh(v);
            var (x, level) = (z[at], levels[at[1]]);
            if (symmetric) return 2.0 / (level - 1) * Math.Floor((level - 1) * (Squash(x) + 1) / 2 + 0.5) - 1;
            var (half, offset) = ((level - 1) * 1.001 / 2, level % 2 == 0 ? 0.5 : 0);
            var shift = clamp ? offset / half : Math.Atanh(offset / half);
            return Math.Round(Squash(x + shift) * half - offset, MidpointRounding.ToEven) / (level / 2);
        });
        Runtime.Near(expected, Runtime.Run(g => FiniteScalarQuantizer.Round(g.Input("z", [Dim.Symbol("n"), levels.Length]), levels, symmetric, clamp), ("z", z)), 1e-6);
    }

    [Fact]
    public void ResidualFsq_FewerLevels_AreTheFirstOnes()
    {
        var config = new ResidualFiniteScalarConfig { Levels = [5, 3], NumQuantizers = 3 };
        var ids = Tensor.Create([7L, 3, 14, 0, 9, 2], 1, 2, 3);
        var coarse = Tensor.Create([7L, 3, 0, 9], 1, 2, 2);
        var dropped = Tensor.Create([7L, 3, -1, 0, 9, -1], 1, 2, 3);
        Tensor<float> Decode(Tensor<long> given) => Runtime.Run(g => ResidualFiniteScalarQuantizer.Decode(Scope.Root(g, new TestWeights(), new()), g.Input("ids", ElementType.Int64, [1, 2, given.Shape[2]]), config), ("ids", given));

        Runtime.Near(Decode(dropped), Decode(coarse), 0);
        Assert.NotEqual(Decode(ids).Span.ToArray(), Decode(coarse).Span.ToArray());
    }

    [Fact]
    public void ResidualFsq_AxisForTheCodebook_IsOneOfOne()
    {
        var (config, x) = (new ResidualFiniteScalarConfig { Levels = [5, 3], NumQuantizers = 3 }, Runtime.Numbers(1, 2, 4, 2));
        Tensor<T> Run<T>(bool keep, Func<Quantization, Value> pick) where T : unmanaged =>
            Runtime.Run<T>(g => pick(ResidualFiniteScalarQuantizer.Quantize(Scope.Root(g, new TestWeights(), new()), g.Input("x", [2, 4, 2]), config with { KeepNumCodebooksDim = keep })), ("x", x));
        var ids = Run<long>(true, q => q.Codes);
        Assert.Equal([2L, 4, 1, 3], ids.Shape.ToArray());
        Assert.Equal(Run<long>(false, q => q.Codes).Span.ToArray(), ids.Span.ToArray());
        Assert.Equal([3L, 2, 4, 1, 2], Run<float>(true, q => q.AllCodes!).Shape.ToArray());
        Assert.Equal(Run<float>(false, q => q.AllCodes!).Span.ToArray(), Run<float>(true, q => q.AllCodes!).Span.ToArray());
    }

    [Fact]
    public void ResidualFsq_Rotation_TurnsEachLevelThereAndBack()
    {
        var config = new ResidualFiniteScalarConfig { Levels = [5, 5], NumQuantizers = 2, OrthogonalRotation = true };
        Tensor<float> Turn(double by) => Tensor.Create([(float)Math.Cos(by), (float)-Math.Sin(by), (float)Math.Sin(by), (float)Math.Cos(by)], 2, 2);
        Tensor<float>[] rotations = [Turn(0.3), Turn(1.1)];
        var x = Runtime.Numbers(1, 1, 6, 2);
        var expected = Runtime.Make([1, 6, 2], at =>
        {
            double[] residual = [.. Enumerable.Range(0, 2).Select(i => Math.Tanh(x[0, at[1], i] / 1.25) * 1.25)], sum = [0, 0];
            for (var level = 0; level < 2; level++)
            {
                var (rotation, scale) = (rotations[level], Math.Pow(5, -level));
                double[] turned = [.. Enumerable.Range(0, 2).Select(j => (residual[0] * rotation[0, j] + residual[1] * rotation[1, j]) / scale)];
                double[] rounded = [.. turned.Select(v => 0.5 * Math.Floor(2 * (Math.Clamp(v, -1, 1) + 1) + 0.5) - 1)];
                for (var i = 0; i < 2; i++)
                {
                    var code = (rounded[0] * rotation[i, 0] + rounded[1] * rotation[i, 1]) * scale;
                    (residual[i], sum[i]) = (residual[i] - code, sum[i] + code);
                }
            }

            return sum[at[2]];
        });

        var weights = new TestWeights(("layers.0.orthogonal_rot", rotations[0]), ("layers.1.orthogonal_rot", rotations[1]));
        Runtime.Near(expected, Runtime.Run(scope => ResidualFiniteScalarQuantizer.Quantize(scope, scope.Graph.Input("x", [1, 6, 2]), config).Quantized, weights, ("x", x)));
    }

    [Fact]
    public void Fsq_CodebooksAndRotation_ActOnEachGroup()
    {
        int[] levels = [5, 5];
        var config = new FiniteScalarConfig { Levels = levels, NumCodebooks = 2, PreserveSymmetry = true, OrthogonalRotation = true };
        var (c, s) = (Math.Cos(0.3), Math.Sin(0.3));
        var rotation = Tensor.Create([(float)c, (float)-s, (float)s, (float)c], 2, 2);
        var x = Runtime.Numbers(1, 2, 3, 4);
        var expected = Runtime.Make([2, 3, 4], at =>
        {
            var start = at[2] / 2 * 2;
            double[] turned = [.. Enumerable.Range(0, 2).Select(j => (double)x[at[0], at[1], start] * rotation[0, j] + x[at[0], at[1], start + 1] * rotation[1, j])];
            double[] rounded = [.. turned.Select(v => 0.5 * Math.Floor(2 * (Math.Tanh(v) + 1) + 0.5) - 1)];
            return rounded[0] * rotation[at[2] % 2, 0] + rounded[1] * rotation[at[2] % 2, 1];
        });
        var weights = new TestWeights(("orthogonal_rot", rotation));
        Quantization Quantize(Scope scope) => FiniteScalarQuantizer.Quantize(scope, scope.Graph.Input("x", [Dim.Symbol("b"), Dim.Symbol("n"), 4]), config);
        Runtime.Near(expected, Runtime.Run(scope => Quantize(scope).Quantized, weights, ("x", x)));
        var ids = Runtime.Run<long>(scope => Quantize(scope).Codes, weights, ("x", x));
        Assert.Equal([2L, 3, 2], ids.Shape.ToArray());
        Runtime.Near(expected, Runtime.Run(scope => FiniteScalarQuantizer.Decode(scope, scope.Graph.Input("ids", ElementType.Int64, Runtime.Symbols(3)), config), weights, ("ids", ids)));
    }

    [Fact]
    public void ResidualFsq_FinerGrids_ApproachTheInput()
    {
        var config = new ResidualFiniteScalarConfig { Levels = [5, 5, 5], NumQuantizers = 4 };
        var x = Runtime.Make([1, 6, 3], at => Math.Sin(at[1] * 3 + at[2]) * 0.7);
        var y = Runtime.Run(scope => ResidualFiniteScalarQuantizer.Quantize(scope, scope.Graph.Input("x", [1, Dim.Symbol("n"), 3]), config).Quantized, new TestWeights(), ("x", x));
        Runtime.Near(Runtime.Make([1, 6, 3], at => Math.Tanh(x[at] / 1.25) * 1.25), y, 0.5 / Math.Pow(5, 3));
    }

    [Theory]
    [InlineData(false, 1.0)]
    [InlineData(true, 0.5)]
    public void LookupFree_BitsAreSigns(bool spherical, double scale)
    {
        var config = new LookupFreeConfig { Dim = 6, CodebookSize = 8, NumCodebooks = 2, Spherical = spherical, CodebookScale = scale, SoftClampInputValue = 2 };
        var x = Runtime.Numbers(1, 2, 6, 3, 2);
        x[0, 0, 0, 0] = 0;                                                                    // zero counts as negative
        var size = spherical ? scale / Math.Sqrt(3) : scale;
        var expected = Runtime.Make([2, 6, 3, 2], at => x[at] > 0 ? size : -size);
        Quantization Quantize(Scope scope) => LookupFreeQuantizer.Quantize(scope, scope.Graph.Input("x", [Dim.Symbol("b"), 6, Dim.Symbol("h"), Dim.Symbol("w")]), config);
        Runtime.Near(expected, Runtime.Run(scope => Quantize(scope).Quantized, new TestWeights(), ("x", x)), 1e-7);
        var ids = Runtime.Run<long>(scope => Quantize(scope).Codes, new TestWeights(), ("x", x));
        Assert.Equal(Runtime.Positions(2, 3, 2, 2).Select(at => Enumerable.Range(0, 3).Sum(bit => x[at[0], at[3] * 3 + bit, at[1], at[2]] > 0 ? 4L >> bit : 0)), ids.Span.ToArray());
        Runtime.Near(expected, Runtime.Run(scope => LookupFreeQuantizer.Decode(scope, scope.Graph.Input("ids", ElementType.Int64, Runtime.Symbols(4) is var lead ? [.. lead[..3], 2] : null!), config), new TestWeights(), ("ids", ids)), 1e-7);
    }

    [Fact]
    public void LookupFree_CosineProjection_NormalisesInputAndColumns()
    {
        var config = new LookupFreeConfig { Dim = 4, CodebookSize = 8, CosineSimProjectIn = true, CosineSimProjectInScale = 3, ProjectionHasBias = false };
        var (x, w, o) = (Runtime.Numbers(1, 2, 5, 4), Runtime.Numbers(2, 4, 3), Runtime.Numbers(3, 4, 3));
        double Norm(Func<int, float> element) => Math.Sqrt(Enumerable.Range(0, 4).Sum(i => (double)element(i) * element(i)));
        var expected = Runtime.Make([2, 5, 3], at => 3 * Enumerable.Range(0, 4).Sum(i => (double)x[at[0], at[1], i] * w[i, at[2]]) / Norm(i => x[at[0], at[1], i]) / Norm(i => w[i, at[2]]));
        Runtime.Near(expected, Runtime.Run(scope => LookupFreeQuantizer.Quantize(scope, scope.Graph.Input("x", [2, 5, 4]), config).Projected, new(("project_in.weight", w), ("project_out.weight", o)), ("x", x)));
    }

    [Fact]
    public void SimVq_CodebookIsTheMappedFrozenOne()
    {
        var (frozen, map, x) = (Runtime.Numbers(1, 7, 3), Runtime.Numbers(2, 4, 3), Runtime.Numbers(3, 2, 4, 5));
        var table = Runtime.Make([7, 4], at => Enumerable.Range(0, 3).Sum(i => (double)frozen[at[0], i] * map[at[1], i]));
        var config = new SimVectorQuantizerConfig { Dim = 4, CodebookSize = 7, FrozenCodebookDim = 3, ChannelFirst = true };
        var weights = new TestWeights(("frozen_codebook", frozen), ("code_transform.weight", map));
        var ids = Runtime.Run<long>(scope => SimVectorQuantizer.Quantize(scope, scope.Graph.Input("x", [2, 4, Dim.Symbol("n")]), config).Codes, weights, ("x", x));
        Assert.Equal(Runtime.Positions(2, 5).Select(at => (long)Enumerable.Range(0, 7).MinBy(code => Enumerable.Range(0, 4).Sum(i => Math.Pow(table[code, i] - x[at[0], i, at[1]], 2)))), ids.Span.ToArray());
        Runtime.Near(Runtime.Make([2, 4, 5], at => table[ids[at[0], at[2]], at[1]]), Runtime.Run(scope => SimVectorQuantizer.Decode(scope, scope.Graph.Input("ids", ElementType.Int64, [2, Dim.Symbol("n")]), config), weights, ("ids", ids)), 1e-6);
    }
}
