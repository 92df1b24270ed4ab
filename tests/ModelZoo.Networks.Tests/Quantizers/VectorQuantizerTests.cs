using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Quantizers;

namespace ModelZoo.Networks.Tests.Quantizers;

public class VectorQuantizerTests
{
    private const int Codes = 11;

    [Theory]
    [InlineData(1, false, false)]
    [InlineData(1, false, true)]
    [InlineData(3, false, false)]
    [InlineData(3, true, false)]
    [InlineData(3, true, true)]
    public void Quantize_HeadsAndDistances_TakeTheNearestRow(int heads, bool separate, bool cosine)
    {
        const int width = 4;
        var table = Runtime.Numbers(1, separate ? heads : 1, Codes, width);
        if (cosine) table = Runtime.Make([separate ? heads : 1, Codes, width], at => table[at] / Norm(i => table[at[0], at[1], i], width));
        var x = Runtime.Numbers(2, 2, 5, heads * width);
        var config = new VectorQuantizerConfig { Dim = heads * width, CodebookDim = width, CodebookSize = Codes, Heads = heads, SeparateCodebookPerHead = separate, UseCosineSim = cosine };
        long Nearest(long b, long n, int head) => Best(Codes, code => cosine
            ? -Enumerable.Range(0, width).Sum(i => (double)table[separate ? head : 0, code, i] * x[b, n, head * width + i])
            : Enumerable.Range(0, width).Sum(i => Math.Pow(table[separate ? head : 0, code, i] - x[b, n, head * width + i], 2)));
        var weights = new TestWeights(("_codebook.embed", table));
        Tensor<T> Run<T>(Func<Quantization, Value> pick) where T : unmanaged => Runtime.Run<T>(scope => pick(VectorQuantizer.Quantize(scope, scope.Graph.Input("x", [Dim.Symbol("b"), Dim.Symbol("n"), heads * width]), config)), weights, ("x", x));

        var codes = Run<long>(q => q.Codes);
        Assert.Equal(heads == 1 ? [2L, 5] : [2L, 5, heads], codes.Shape.ToArray());
        Assert.Equal(Runtime.Positions(2, 5, heads).Select(at => Nearest(at[0], at[1], (int)at[2])), codes.Span.ToArray());
        var expected = Runtime.Make([2, 5, heads * width], at => table[separate ? at[2] / width : 0, Nearest(at[0], at[1], (int)at[2] / width), at[2] % width]);
        Runtime.Near(expected, Run<float>(q => q.Quantized), 0);

        // Codes of heads that share a codebook stay apart.
        var decoded = Runtime.Run(scope => VectorQuantizer.Decode(scope, scope.Graph.Input("ids", ElementType.Int64, Runtime.Symbols(codes.Rank - 1 + (heads == 1 ? 1 : 0)) is var lead && heads > 1 ? [.. lead, heads] : lead), config), weights, ("ids", codes));
        Assert.Equal(heads > 1 && !separate ? [2, 5, heads, width] : [2L, 5, heads * width], decoded.Shape.ToArray());
        Assert.Equal(expected.Span.ToArray(), decoded.Span.ToArray());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Quantize_AffineParameters_MoveTheCodesToTheBatch(bool remembered)
    {
        const int width = 3;
        var (table, x, mean, variance) = (Runtime.Numbers(1, 1, Codes, width), Runtime.Numbers(2, 2, 5, width), Runtime.Numbers(3, 1, 1, width), Runtime.Make([1, 1, width], at => 0.5 + at[2]));
        (string, Tensor<float>)[] codebook = [("_codebook.embed", table), ("_codebook.codebook_mean", mean), ("_codebook.codebook_variance", variance)];
        var config = new VectorQuantizerConfig { Dim = width, CodebookSize = Codes, AffineParam = true };
        var weights = new TestWeights(remembered ? [.. codebook, ("_codebook.batch_mean", variance), ("_codebook.batch_variance", variance)] : codebook);
        Tensor<T> Run<T>(Func<Quantization, Value> pick) where T : unmanaged => Runtime.Run<T>(scope => pick(VectorQuantizer.Quantize(scope, scope.Graph.Input("x", [Dim.Symbol("b"), Dim.Symbol("n"), width]), config)), weights, ("x", x));

        double Batch(int c) => Enumerable.Range(0, 10).Average(i => (double)x.Span[i * width + c]);
        double Spread(int c) => Enumerable.Range(0, 10).Average(i => Math.Pow(x.Span[i * width + c] - Batch(c), 2));
        double Kept(double now, int c) => remembered ? 0.99 * variance[0, 0, c] + 0.01 * now : now;
        double Moved(long code, int c) => (table[0, code, c] - mean[0, 0, c]) * Math.Sqrt(Kept(Spread(c), c) / variance[0, 0, c]) + Kept(Batch(c), c);
        var ids = Runtime.Positions(2, 5).Select(at => Best(Codes, code => Enumerable.Range(0, width).Sum(c => Math.Pow(Moved(code, c) - x[at[0], at[1], c], 2)))).ToArray();
        Assert.Equal(ids, Run<long>(q => q.Codes).Span.ToArray());
        Runtime.Near(Runtime.Make([2, 5, width], at => Moved(ids[at[0] * 5 + at[1]], (int)at[2])), Run<float>(q => q.Quantized), 1e-5);
    }

    [Fact]
    public void Config_VolumesByTheirPublishedName_AreChannelsFirst() =>
        Assert.True(Inference.PublishedConfig.Bind<VectorQuantizerConfig>(new System.Text.Json.Nodes.JsonObject { ["dim"] = 4, ["accept_3d_fmap"] = true }, "test").Value.ChannelsFirst);

    [Fact]
    public void RandomProjections_WidePublishedCodebooks_AreProjectedTo()
    {
        var (projections, table, x) = (Runtime.Numbers(1, 2, 6, 3), Runtime.Numbers(2, 2, Codes, 6), Runtime.Numbers(3, 1, 4, 6));
        var (weight, bias) = (Runtime.Numbers(4, 12, 6), Runtime.Numbers(5, 12));
        var weights = new TestWeights(("rand_projs", projections), ("vq._codebook.embed", table), ("vq.project_in.weight", weight), ("vq.project_in.bias", bias),
            ("vq.project_out.weight", Runtime.Numbers(6, 6, 12)), ("vq.project_out.bias", Runtime.Numbers(7, 6)));
        var config = new RandomProjectionConfig { Dim = 6, CodebookSize = Codes, CodebookDim = 3, NumCodebooks = 2, Norm = false };
        var ids = Runtime.Run<long>(scope => RandomProjectionQuantizer.Quantize(scope, scope.Graph.Input("x", [1, Dim.Symbol("n"), 6]), config), weights, ("x", x));

        double Projected(long n, long c) => Enumerable.Range(0, 6).Sum(i => (double)x[0, n, i] * projections[c / 3, i, c % 3]);
        double Wide(long n, long c) => bias[c] + Enumerable.Range(0, 6).Sum(j => Projected(n, j) * weight[c, j]);
        Assert.Equal(Runtime.Positions(4, 2).Select(at => Best(Codes, code => -Enumerable.Range(0, 6).Sum(i => table[at[1], code, i] * Wide(at[0], at[1] * 6 + i)))), ids.Span.ToArray());
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Quantize_ChannelsFirst_IsChannelsLastTurned(int rank)
    {
        long[] spatial = [.. new long[] { 3, 2, 4 }.Take(rank - 2)];
        var (table, x) = (Runtime.Numbers(1, 1, Codes, 6), Runtime.Numbers(2, [2, 6, .. spatial]));
        var places = Tensor.Count(spatial);
        var rows = Runtime.Make([2, places, 6], at => x.Span[(int)((at[0] * 6 + at[2]) * places + at[1])]);
        var weights = new TestWeights(("_codebook.embed", table));
        var config = new VectorQuantizerConfig { Dim = 6, CodebookSize = Codes };
        var turned = config with { ChannelLast = rank != 3, AcceptImageFmap = rank == 4, Accept3dFmap = rank == 5 };
        Tensor<T> Run<T>(Tensor<float> input, VectorQuantizerConfig settings, Func<Quantization, Value> pick) where T : unmanaged =>
            Runtime.Run<T>(scope => pick(VectorQuantizer.Quantize(scope, scope.Graph.Input("x", Shape.Of(input.Shape)), settings)), weights, ("x", input));
        var (plain, codes) = (Run<float>(rows, config, q => q.Quantized), Run<long>(x, turned, q => q.Codes));
        Assert.Equal([2L, .. spatial], codes.Shape.ToArray());
        Assert.Equal(Run<long>(rows, config, q => q.Codes).Span.ToArray(), codes.Span.ToArray());
        var expected = Tensor.Create([.. Runtime.Positions(2, 6, places).Select(at => plain[at[0], at[2], at[1]])], [2, 6, .. spatial]);
        Runtime.Near(expected, Run<float>(x, turned, q => q.Quantized), 0);
        Runtime.Near(expected, Runtime.Run(scope => VectorQuantizer.Decode(scope, scope.Graph.Input("ids", ElementType.Int64, Shape.Of(codes.Shape)), turned), weights, ("ids", codes)), 0);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Residual_EachLevelTakesWhatIsLeft(bool shared, bool cosine)
    {
        const int levels = 3, width = 4;
        int[] sizes = shared ? [Codes, Codes, Codes] : [5, 7, Codes];
        var tables = sizes.Select((size, level) => Runtime.Numbers(10 + (shared ? 0 : level), 1, size, width)).ToArray();
        if (cosine) tables = [.. tables.Select(table => Runtime.Make(table.Shape.ToArray(), at => table[at] / Norm(i => table[0, at[1], i], width)))];
        var x = Runtime.Numbers(1, 2, 5, width);
        var config = new ResidualVectorQuantizerConfig { Dim = width, NumQuantizers = levels, CodebookSize = JsonSerializer.SerializeToElement(sizes), SharedCodebook = shared, UseCosineSim = cosine };
        var weights = new TestWeights([.. tables.Take(shared ? 1 : levels).Select((table, level) => ($"layers.{level}._codebook.embed", table))]);
        var ids = new List<long>();
        var sum = Tensor.Zeros<float>(2, 5, width);
        foreach (var at in Runtime.Positions(2, 5))
        {
            double[] residual = [.. Enumerable.Range(0, width).Select(i => (double)x[at[0], at[1], i])];
            for (var level = 0; level < levels; level++)
            {
                var table = tables[level];
                var id = Best(sizes[level], code => Enumerable.Range(0, width).Sum(i => cosine ? -table[0, code, i] * residual[i] : Math.Pow(table[0, code, i] - residual[i], 2)));
                ids.Add(id);
                for (var i = 0; i < width; i++)
                {
                    residual[i] -= table[0, id, i];
                    sum[at[0], at[1], i] += table[0, id, i];
                }
            }
        }

        Tensor<T> Run<T>(Func<Quantization, Value> pick) where T : unmanaged => Runtime.Run<T>(scope => pick(ResidualVectorQuantizer.Quantize(scope, scope.Graph.Input("x", [Dim.Symbol("b"), Dim.Symbol("n"), width]), config)), weights, ("x", x));
        var codes = Run<long>(q => q.Codes);
        Assert.Equal(ids, codes.Span.ToArray());
        Runtime.Near(sum, Run<float>(q => q.Quantized));
        Value Decode(Scope scope) => ResidualVectorQuantizer.Decode(scope, scope.Graph.Input("ids", ElementType.Int64, [Dim.Symbol("b"), Dim.Symbol("n"), levels]), config);
        Runtime.Near(sum, Runtime.Run(Decode, weights, ("ids", codes)));
        var coarse = Tensor.Create([.. codes.Span.ToArray().Select((id, i) => i % levels == 0 ? id : -1)], 2, 5, levels);
        Runtime.Near(Runtime.Make([2, 5, width], at => tables[0][0, codes[at[0], at[1], 0], at[2]]), Runtime.Run(Decode, weights, ("ids", coarse)));
    }

    // Each level is a quantizer of its own that follows what is left; the codes shown are those of the codebooks.
    [Fact]
    public void Residual_AffineParameters_MoveEachLevel()
    {
        const int width = 3;
        Tensor<float>[] tables = [Runtime.Numbers(1, 1, Codes, width), Runtime.Numbers(2, 1, Codes, width)];
        var x = Runtime.Numbers(3, 2, 5, width);
        (string, Tensor<float>)[] Book(int level, string prefix) =>
        [
            ($"{prefix}_codebook.embed", tables[level]), ($"{prefix}_codebook.codebook_mean", Runtime.Numbers(4 + level, 1, 1, width)), ($"{prefix}_codebook.codebook_variance", Runtime.Make([1, 1, width], at => 0.5 + at[2] + level)),
            ($"{prefix}_codebook.batch_mean", Runtime.Numbers(6 + level, 1, 1, width)), ($"{prefix}_codebook.batch_variance", Runtime.Make([1, 1, width], at => 1 + at[2])),
        ];
        Tensor<T> One<T>(int level, Tensor<float> given, Func<Quantization, Value> pick) where T : unmanaged => Runtime.Run<T>(scope => pick(VectorQuantizer.Quantize(scope, scope.Graph.Input("x", [2, 5, width]),
            new() { Dim = width, CodebookSize = Codes, AffineParam = true, AffineParamBatchDecay = 0.7 })), new TestWeights(Book(level, "")), ("x", given));
        var weights = new TestWeights([.. Book(0, "layers.0."), .. Book(1, "layers.1.")]);
        var config = new ResidualVectorQuantizerConfig { Dim = width, NumQuantizers = 2, CodebookSize = JsonElement.Parse($"{Codes}"), AffineParam = true, AffineParamBatchDecay = 0.7 };
        Tensor<T> Both<T>(Func<Quantization, Value> pick) where T : unmanaged => Runtime.Run<T>(scope => pick(ResidualVectorQuantizer.Quantize(scope, scope.Graph.Input("x", [2, 5, width]), config)), weights, ("x", x));

        var first = One<float>(0, x, q => q.Quantized);
        var left = Runtime.Make([2, 5, width], at => x[at] - first[at]);
        var (second, ids) = (One<float>(1, left, q => q.Quantized), Both<long>(q => q.Codes));
        Runtime.Near(Runtime.Make([2, 5, width], at => first[at] + second[at]), Both<float>(q => q.Quantized), 1e-5);
        Assert.Equal(One<long>(0, x, q => q.Codes).Span.ToArray().Zip(One<long>(1, left, q => q.Codes).Span.ToArray(), (a, b) => new[] { a, b }).SelectMany(pair => pair), ids.Span.ToArray());
        Runtime.Near(Runtime.Make([2, 2, 5, width], at => tables[at[0]][0, ids[at[1], at[2], at[0]], at[3]]), Both<float>(q => q.AllCodes!), 0);
    }

    // A shared codebook goes on from where the level before left it: as if the checkpoint remembered that level's statistics.
    [Fact]
    public void Residual_SharedAffineCodebook_FollowsTheLevels()
    {
        const int width = 3;
        var (table, x) = (Runtime.Numbers(1, 1, Codes, width), Runtime.Numbers(3, 2, 5, width));
        (string, Tensor<float>)[] book = [("_codebook.embed", table), ("_codebook.codebook_mean", Runtime.Numbers(4, 1, 1, width)), ("_codebook.codebook_variance", Runtime.Make([1, 1, width], at => 0.5 + at[2]))];
        Tensor<float> One(Tensor<float> given, params (string, Tensor<float>)[] remembered) => Runtime.Run<float>(scope => VectorQuantizer.Quantize(scope, scope.Graph.Input("x", [2, 5, width]),
            new() { Dim = width, CodebookSize = Codes, AffineParam = true, AffineParamBatchDecay = 0.7 }).Quantized, new TestWeights([.. book, .. remembered]), ("x", given));
        var config = new ResidualVectorQuantizerConfig { Dim = width, NumQuantizers = 2, CodebookSize = JsonElement.Parse($"{Codes}"), AffineParam = true, AffineParamBatchDecay = 0.7, SharedCodebook = true };
        var both = Runtime.Run<float>(scope => ResidualVectorQuantizer.Quantize(scope, scope.Graph.Input("x", [2, 5, width]), config).Quantized, new TestWeights([.. book.Select(entry => ($"layers.0.{entry.Item1}", entry.Item2))]), ("x", x));

        double Mean(long c) => Enumerable.Range(0, 10).Average(i => (double)x.Span[(int)(i * width + c)]);
        var first = One(x);
        var second = One(Runtime.Make([2, 5, width], at => x[at] - first[at]), ("_codebook.batch_mean", Runtime.Make([1, 1, width], at => Mean(at[2]))),
            ("_codebook.batch_variance", Runtime.Make([1, 1, width], at => Enumerable.Range(0, 10).Average(i => Math.Pow(x.Span[(int)(i * width + at[2])] - Mean(at[2]), 2)))));
        Runtime.Near(Runtime.Make([2, 5, width], at => first[at] + second[at]), both, 1e-5);
    }

    [Fact]
    public void Residual_ImplicitCodebook_IsComputedFromTheSum()
    {
        const int width = 3, size = 5;
        var x = Runtime.Numbers(1, 1, 4, width);
        var config = new ResidualVectorQuantizerConfig { Dim = width, NumQuantizers = 2, CodebookSize = JsonSerializer.SerializeToElement(size), ImplicitNeuralCodebook = true, MlpKwargs = new() { Depth = 1 } };
        Tensor<float> first = Runtime.Numbers(2, 1, size, width), second = Runtime.Numbers(3, 1, size, width), into = Runtime.Numbers(4, width, 2 * width), up = Runtime.Numbers(5, width, width), down = Runtime.Numbers(6, width, width);
        Tensor<float> bias = Runtime.Numbers(7, width), upBias = Runtime.Numbers(8, width), downBias = Runtime.Numbers(9, width);
        var weights = new TestWeights(("layers.0._codebook.embed", first), ("layers.1._codebook.embed", second), ("mlps.0.proj_in.weight", into), ("mlps.0.proj_in.bias", bias),
            ("mlps.0.layers.0.0.weight", up), ("mlps.0.layers.0.0.bias", upBias), ("mlps.0.layers.0.2.weight", down), ("mlps.0.layers.0.2.bias", downBias));
        static double[] Map(Tensor<float> w, Tensor<float> b, double[] input) => [.. Enumerable.Range(0, (int)w.Shape[0]).Select(row => b.Span[row] + input.Select((value, i) => value * w[row, i]).Sum())];
        var expected = Runtime.Make([1, 4, width], at =>
        {
            double[] input = [.. Enumerable.Range(0, width).Select(i => (double)x[0, at[1], i])];
            var one = Best(size, code => Enumerable.Range(0, width).Sum(i => Math.Pow(first[0, code, i] - input[i], 2)));
            double[] sum = [.. Enumerable.Range(0, width).Select(i => (double)first[0, one, i])];
            double[][] codes = [.. Enumerable.Range(0, size).Select(code =>
            {
                var h = Map(into, bias, [.. sum, .. Enumerable.Range(0, width).Select(i => (double)second[0, code, i])]);
                var inner = Map(down, downBias, [.. Map(up, upBias, h).Select(v => v / (1 + Math.Exp(-v)))]);
                return h.Zip(inner, (a, b) => a + b).ToArray();
            })];
            var two = Best(size, code => Enumerable.Range(0, width).Sum(i => Math.Pow(input[i] - sum[i] - codes[code][i] + 1e-6, 2)));
            return sum[at[2]] + codes[two][at[2]];
        });
        Quantization Quantize(Scope scope) => ResidualVectorQuantizer.Quantize(scope, scope.Graph.Input("x", [1, Dim.Symbol("n"), width]), config);
        Runtime.Near(expected, Runtime.Run(scope => Quantize(scope).Quantized, weights, ("x", x)));
        var ids = Runtime.Run<long>(scope => Quantize(scope).Codes, weights, ("x", x));
        Runtime.Near(expected, Runtime.Run(scope => ResidualVectorQuantizer.Decode(scope, scope.Graph.Input("ids", ElementType.Int64, [1, Dim.Symbol("n"), 2]), config), weights, ("ids", ids)));
    }

    private static long Best(int count, Func<int, double> cost) => Enumerable.Range(0, count).MinBy(cost);

    private static double Norm(Func<int, float> element, int width) => Math.Sqrt(Enumerable.Range(0, width).Sum(i => (double)element(i) * element(i)));
}
