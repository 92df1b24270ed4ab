using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class AttentionTests
{
    private static readonly Dim B = Dim.Symbol("b"), N = Dim.Symbol("n"), M = Dim.Symbol("m");

    // heads, key heads, queries, keys, causal, window, cap, scale, shape of the bias: 0 none, 1 for every head and query, 2 for keys alone.
    [Theory]
    [InlineData(4, 4, 5, 5, false, 0, 0, 0, 0)]
    [InlineData(4, 2, 5, 5, false, 0, 0, 0, 0)]
    [InlineData(4, 4, 5, 5, true, 0, 0, 0, 0)]
    [InlineData(4, 4, 5, 5, false, 0, 0, 0, 1)]
    [InlineData(4, 1, 5, 5, true, 0, 0, 1, 1)]
    [InlineData(4, 4, 3, 7, false, 0, 0, 0, 2)]
    [InlineData(4, 2, 3, 7, true, 0, 0, 0, 0)]
    [InlineData(2, 2, 7, 7, true, 3, 0, 0, 0)]
    [InlineData(2, 2, 3, 7, true, 3, 0, 0, 2)]
    [InlineData(4, 2, 6, 6, true, 2, 2.5, 0.3, 2)]
    public void Attention_FusedAndPlain_EqualTheSum(long heads, long keyHeads, long queries, long keys, bool causal, long window, double cap, double scale, int bias)
    {
        const long width = 8, valueWidth = 4;
        var (q, k, v) = (Runtime.Numbers(1, 2, queries, heads * width), Runtime.Numbers(2, 2, keys, keyHeads * width), Runtime.Numbers(3, 2, keys, keyHeads * valueWidth));
        var b = bias == 0 ? null : bias == 1 ? Runtime.Numbers(4, 2, heads, queries, keys) : Runtime.Numbers(4, 2, 1, 1, keys);
        var expected = Runtime.Make([2, queries, heads * valueWidth], at =>
        {
            var (head, keyHead, own) = (at[2] / valueWidth, at[2] / valueWidth / (heads / keyHeads), at[1] + keys - queries);
            var weights = Enumerable.Range(0, (int)keys).Select(key =>
            {
                if (causal && (key > own || (window > 0 && key <= own - window))) return 0;
                var score = Enumerable.Range(0, (int)width).Sum(i => (double)q[at[0], at[1], head * width + i] * k[at[0], key, keyHead * width + i]) * (scale > 0 ? scale : 1 / Math.Sqrt(width));
                if (cap > 0) score = cap * Math.Tanh(score / cap);
                return Math.Exp(score + (b is null ? 0 : bias == 1 ? b[at[0], head, at[1], key] : b[at[0], 0, 0, key]));
            }).ToArray();
            return weights.Select((weight, key) => weight * v[at[0], key, keyHead * valueWidth + at[2] % valueWidth]).Sum() / weights.Sum();
        });
        Tensor<float> Run(Func<Value, Value, Value, AttentionOptions, Value> attention) => Runtime.Run(graph =>
        {
            var m = queries == keys ? N : M;
            Shape biased = bias == 1 ? [B, heads, N, m] : [B, 1, 1, m];
            return attention(graph.Input("q", [B, N, heads * width]), graph.Input("k", [B, m, keyHeads * width]), graph.Input("v", [B, m, keyHeads * valueWidth]), new()
            {
                Heads = heads, KeyValueHeads = keyHeads, Causal = causal, Window = window > 0 ? window : null, SoftCap = cap > 0 ? cap : null, Scale = scale > 0 ? scale : null,
                Bias = b is null ? null : graph.Input("bias", biased),
            });
        }, [("q", q), ("k", k), ("v", v), .. b is null ? Array.Empty<(string, Tensor)>() : [("bias", b)]]);
        Runtime.Near(expected, Run(AttentionLayers.AttentionPlain));
        Runtime.Near(expected, Run(AttentionLayers.Attention));
    }

    [Theory]
    [InlineData(3, 3, null)]
    [InlineData(4, 3, null)]
    [InlineData(4, 2, null)]
    [InlineData(4, 4, 2L)]
    public void Attention_OptionsThatDoNotFit_AreRefused(long heads, long keyHeads, long? window)
    {
        var x = new Graph("g").Input("x", [B, N, 8]);
        Assert.Throws<GraphException>(() => AttentionLayers.Attention(x, x, x, new() { Heads = heads, KeyValueHeads = keyHeads, Window = window }));
    }

    [Fact]
    public void SelfAttention_SplitsTheFusedWeights()
    {
        var (x, w, b) = (Runtime.Numbers(1, 2, 5, 8), Runtime.Numbers(2, 24, 8), Runtime.Numbers(3, 24));
        var (p, c) = (Runtime.Numbers(4, 8, 8), Runtime.Numbers(5, 8));
        TestWeights Part(int start) => new(("weight", Runtime.Make([8, 8], at => w[at[0] + start, at[1]])), ("bias", Runtime.Make([8], at => b[at[0] + start])));
        Tensor<float> Map(Tensor<float> input, TestWeights weights) => Runtime.Run(scope => scope.Linear(scope.Graph.Input("x", [2, 5, 8]), 8), weights, ("x", input));
        var mixed = Runtime.Run(g => AttentionLayers.AttentionPlain(g.Input("q", [2, 5, 8]), g.Input("k", [2, 5, 8]), g.Input("v", [2, 5, 8]), new() { Heads = 2 }),
            ("q", Map(x, Part(0))), ("k", Map(x, Part(8))), ("v", Map(x, Part(16))));
        var y = Runtime.Run(scope => scope.SelfAttention(scope.Graph.Input("x", [B, N, 8]), 2), new(("qkv.weight", w), ("qkv.bias", b), ("proj.weight", p), ("proj.bias", c)), ("x", x));
        Runtime.Near(Map(mixed, new(("weight", p), ("bias", c))), y);
    }

    [Fact]
    public void Masks_AllowWhatTheySay()
    {
        var x = Runtime.Numbers(1, 1, 7);
        bool[] Allowed(Func<Graph, Dim, Value> mask)
        {
            var y = Runtime.Run(g => mask(g, g.Input("x", [1, N]).Shape[1]), ("x", x));
            Assert.Equal([1, 1, 7, 7], y.Shape.ToArray());
            return [.. y.Span.ToArray().Select(value => value == 0)];
        }

        static bool[] Expect(Func<int, int, bool> allowed) => [.. Enumerable.Range(0, 49).Select(i => allowed(i / 7, i % 7))];
        Assert.Equal(Expect((q, k) => k <= q), Allowed((g, n) => AttentionMasks.Causal(g, n, n)));
        Assert.Equal(Expect((q, k) => k <= q && k > q - 3), Allowed((g, n) => AttentionMasks.Sliding(g, n, n, 3)));
        Assert.Equal(Expect((q, k) => Math.Abs(k - q) <= 2), Allowed((g, n) => AttentionMasks.Local(g, n, n, 2)));
        Assert.Equal(Expect((q, k) => k / 3 <= q / 3), Allowed((g, n) => AttentionMasks.BlockCausal(g, n, 3)));
        long[] segments = [0, 0, 1, 1, 1, 2, 2];
        Assert.Equal(Expect((q, k) => segments[q] == segments[k]), Allowed((g, n) => AttentionMasks.SameSegment(g.Constant<long>(segments, 1, 7))));
    }

    [Theory]
    [InlineData(8)]
    [InlineData(6)]
    public void Alibi_SlopesAreThoseOfThePaper(int heads)
    {
        double[] slopes = heads == 8 ? [0.5, 0.25, 0.125, 1 / 16.0, 1 / 32.0, 1 / 64.0, 1 / 128.0, 1 / 256.0] : [0.25, 1 / 16.0, 1 / 64.0, 1 / 256.0, 0.5, 0.125];
        var y = Runtime.Run(g => AttentionMasks.Alibi(g, g.Input("x", [1, N]).Shape[1], N, heads), ("x", Runtime.Numbers(1, 1, 5)));
        Runtime.Near(Runtime.Make([1, heads, 5, 5], at => -slopes[at[1]] * Math.Abs(at[2] - at[3])), y, 1e-6);
    }

    // Buckets computed with transformers' T5Attention._relative_position_bucket.
    [Theory]
    [InlineData(true, 32, 128, new[] { 0, -1, -7, -8, -15, -16, -64, -127, -500, 1, 7, 8, 64, 500 }, new long[] { 0, 1, 7, 8, 9, 10, 14, 15, 15, 17, 23, 24, 30, 31 })]
    [InlineData(false, 32, 128, new[] { 0, -1, -15, -16, -31, -32, -64, -128, 5 }, new long[] { 0, 1, 15, 16, 21, 21, 26, 31, 0 })]
    public void T5Bucket_ExactThenLogarithmic(bool bidirectional, int buckets, int maxDistance, int[] relative, long[] expected) =>
        Assert.Equal(expected, relative.Select(r => RelativePositions.T5Bucket(r, buckets, maxDistance, bidirectional)));

    [Fact]
    public void T5Bias_GathersByBucket()
    {
        var table = Runtime.Numbers(1, 8, 3);
        var y = Runtime.Run(scope => scope.T5Bias(scope.Graph.Input("x", [1, N]).Shape[1], N, 3, 8, 20), new(("weight", table)), ("x", Runtime.Numbers(2, 1, 30)));
        Runtime.Near(Runtime.Make([1, 3, 30, 30], at => table[RelativePositions.T5Bucket((int)(at[3] - at[2]), 8, 20, true), at[1]]), y, 0);
    }

    [Fact]
    public void SwinBias_IndexesOffsets()
    {
        var table = Runtime.Numbers(1, 15, 2);                                                  // (2 x 2 - 1)(2 x 3 - 1)
        var y = Runtime.Run(scope => scope.SwinBias(2, 3, 2), new TestWeights(("relative_position_bias_table", table)));
        Runtime.Near(Runtime.Make([1, 2, 6, 6], at => table[(at[2] / 3 - at[3] / 3 + 1) * 5 + at[2] % 3 - at[3] % 3 + 2, at[1]]), y, 0);
    }

    [Theory]
    [InlineData(8, 8, false)]
    [InlineData(9, 5, false)]
    [InlineData(8, 8, true)]
    public void Windows_PartitionAndBack(long rows, long columns, bool shift)
    {
        var x = Runtime.Numbers(1, 2, 8, 8, 3);
        x = Runtime.Make([2, rows, columns, 3], at => at[1] * 100 + at[2] * 10 + at[3] + at[0] * 0.5);
        var offset = shift ? 2 : 0;
        var windows = Runtime.Run(g => g.Input("x", [B, rows, columns, 3]).Windows(4, offset), ("x", x));
        var (high, wide) = ((rows + 3) / 4, (columns + 3) / 4);
        Runtime.Near(Runtime.Make([2 * high * wide, 16, 3], at =>
        {
            var (b, window) = (at[0] / (high * wide), at[0] % (high * wide));
            var (row, column) = ((window / wide * 4 + at[1] / 4 + offset) % (high * 4), (window % wide * 4 + at[1] % 4 + offset) % (wide * 4));
            return row < rows && column < columns ? x[b, row, column, at[2]] : 0;
        }), windows, 0);
        Runtime.Near(x, Runtime.Run(g => g.Input("x", [B, rows, columns, 3]).Windows(4, offset).FromWindows(4, rows, columns, offset), ("x", x)), 0);
        Runtime.Near(x, Runtime.Run(g => g.Input("x", [B, N, M, 3]).Windows(4, offset).FromWindows(4, N, M, offset), ("x", x)), 0);
    }
}
