using ModelZoo.Contracts;
using ModelZoo.Inference.Tests.Runtime;

namespace ModelZoo.Inference.Tests.Kernels;

public sealed class AttentionKernelTests(RuntimeFixture fixture) : IClassFixture<RuntimeFixture>
{
    private const float Masked = -1e30f;

    private static readonly int[] Lengths = [1, 2, 3, 4, 5, 11, 12, 13, 31, 32, 33, 64, 77, 100, 197], Widths = [1, 3, 8, 16, 20, 32, 33, 48, 64, 80, 128];

    [Fact]
    public void Attention_AnyShape_AsTheEngine()
    {
        var random = new Random(1);
        for (var i = 0; i < 60; i++)
        {
            var shape = new Sizes(1 + random.Next(3), 1 + random.Next(4), Any(random, Lengths), Any(random, Lengths), Any(random, Widths), Any(random, Widths));
            Check(random, shape, scale: random.Next(2) == 0 ? 0 : 0.5f, causal: false, bias: random.Next(2) == 0);
        }
    }

    [Fact]
    public void Attention_Causal_AsTheEngine()
    {
        var random = new Random(2);
        for (var i = 0; i < 20; i++)
        {
            var length = Any(random, Lengths);
            Check(random, new(1 + random.Next(2), 1 + random.Next(3), length, length, Any(random, Widths), Any(random, Widths)), scale: 0, causal: true, bias: random.Next(3) == 0);
        }
    }

    [Theory]
    [InlineData(1, 3000, 64, false)]
    [InlineData(3, 1100, 64, false)]
    [InlineData(30, 1025, 40, false)]
    [InlineData(70, 513, 512, false)]
    [InlineData(1100, 1100, 32, true)]
    [InlineData(600, 600, 16, false)]
    public void Attention_LongerThanABlockOfKeys_AsTheEngine(int queries, int keys, int width, bool causal) => Check(new(3), new(1, 2, queries, keys, width, width), scale: 0.5f, causal, bias: true);

    [Fact]
    public void Attention_MaskedKeys_HaveNoPart()
    {
        var random = new Random(4);
        var (sizes, bias) = (new Sizes(1, 2, 20, 700, 32, 32), new float[2 * 20 * 700]);
        for (var i = 0; i < bias.Length; i++) bias[i] = i % 700 < 600 ? Masked : 0;
        var inputs = Inputs(random, sizes, (2, bias));
        using var session = fixture.Runtime.CreateSession(Graph(sizes, 0, causal: false, inputs));
        var before = session.Run(inputs)["y"].As<float>().Span.ToArray();

        inputs["k"].As<float>().Span[..(600 * 64)].Fill(1e6f);
        inputs["v"].As<float>().Span[..(600 * 64)].Fill(-1e6f);

        Assert.Equal(before, session.Run(inputs)["y"].As<float>().Span.ToArray());
    }

    [Fact]
    public void Attention_RowsOfABatch_AreThoseOfEachAlone()
    {
        var random = new Random(5);
        var (all, one) = (new Sizes(5, 3, 30, 41, 24, 40), new Sizes(1, 3, 30, 41, 24, 40));
        var inputs = Inputs(random, all, null);
        using var session = fixture.Runtime.CreateSession(Graph(all, 0, causal: false, inputs));

        var together = session.Run(inputs)["y"].As<float>();

        for (var row = 0; row < all.Batch; row++)
        {
            var alone = inputs.ToDictionary(pair => pair.Key, pair => Slice(pair.Value, row));
            Assert.Equal(Slice(together, row).As<float>().Span.ToArray(), session.Run(alone)["y"].As<float>().Span.ToArray());
        }

        Tensor Slice(Tensor x, int row)
        {
            var count = (int)Tensor.Count(x.Shape) / all.Batch;
            return Tensor.Create(x.As<float>().Span.Slice(row * count, count).ToArray(), [1, .. x.Shape[1..]]);
        }
    }

    [Fact]
    public void Attention_NoRows_GivesNone() => Check(new(6), new(0, 2, 5, 5, 8, 8), scale: 0, causal: false, bias: false);

    private void Check(Random random, Sizes sizes, float scale, bool causal, bool bias)
    {
        var maps = random.Next(2) == 0 ? 1 : sizes.Heads;
        var batch = random.Next(2) == 0 ? 1 : sizes.Batch;
        var values = KernelGraphs.Random(random, (long)batch * maps * sizes.Queries * sizes.Keys);
        for (var i = 0; i < values.Length; i++) values[i] = random.Next(5) == 0 ? Masked : 3 * values[i];
        var inputs = Inputs(random, sizes, bias ? (maps, values) : null);
        KernelGraphs.SameAsEngine(fixture.Runtime, Graph(sizes, scale, causal, inputs), inputs, 5e-6);
    }

    private static Dictionary<string, Tensor> Inputs(Random random, Sizes sizes, (int Maps, float[] Values)? bias)
    {
        var inputs = new Dictionary<string, Tensor>
        {
            ["q"] = Make(random, sizes.Batch, sizes.Queries, sizes.Heads * sizes.Width),
            ["k"] = Make(random, sizes.Batch, sizes.Keys, sizes.Heads * sizes.Width),
            ["v"] = Make(random, sizes.Batch, sizes.Keys, sizes.Heads * sizes.ValueWidth),
        };
        if (bias is var (maps, values)) inputs["bias"] = Tensor.Create(values, values.Length / (maps * sizes.Queries * sizes.Keys), maps, sizes.Queries, sizes.Keys);
        return inputs;
    }

    private static GraphDefinition Graph(Sizes sizes, float scale, bool causal, Dictionary<string, Tensor> inputs)
    {
        var graph = new GraphDefinition { Name = "attention" };
        foreach (var (name, tensor) in inputs) graph.Inputs.Add(new(name, ElementType.Float32, [.. tensor.Shape.ToArray().Select((size, axis) => name != "bias" && axis == 0 ? new(-1, "batch") : new GraphDimension(size))]));
        graph.Outputs.Add(new("y", ElementType.Float32, [new(-1, "batch"), sizes.Queries, sizes.Heads * sizes.ValueWidth]));
        var attributes = new Dictionary<string, object> { ["num_heads"] = (long)sizes.Heads, ["unidirectional"] = causal ? 1L : 0L };
        if (scale != 0) attributes["scale"] = scale;
        graph.Nodes.Add(new("MultiHeadAttention", "com.microsoft", "attention", inputs.ContainsKey("bias") ? ["q", "k", "v", "", "", "bias"] : ["q", "k", "v"], ["y"], attributes));
        return graph;
    }

    private static Tensor Make(Random random, params long[] shape) => Tensor.Create(KernelGraphs.Random(random, Tensor.Count(shape)), shape);

    private static int Any(Random random, int[] values) => values[random.Next(values.Length)];

    private sealed record Sizes(int Batch, int Heads, int Queries, int Keys, int Width, int ValueWidth);
}
