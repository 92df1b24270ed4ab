using ModelZoo.Inference.Tests.Runtime;

namespace ModelZoo.Inference.Tests.Kernels;

public sealed class NormKernelTests(RuntimeFixture fixture) : IClassFixture<RuntimeFixture>
{
    // The engine sums squares, not squared distances: with a smaller one its results for rows of two close numbers are not to be relied on.
    private const float Epsilon = 0.01f;

    private static readonly int[] Widths = [1, 2, 7, 15, 16, 17, 31, 48, 63, 64, 65, 100, 768, 1031], Lengths = [1, 2, 5, 12, 33, 130];

    [Theory]
    [InlineData("LayerNormalization", true)]
    [InlineData("LayerNormalization", false)]
    [InlineData("RMSNormalization", false)]
    public void Norm_AnyShape_AsTheEngine(string op, bool bias)
    {
        foreach (var width in Widths)
        {
            var graph = new SampleGraph(width);
            graph.Input("x", 2, Lengths[width % Lengths.Length], width);
            Norm(graph, op, bias, width % 2 == 0 ? Epsilon : 0.1f, "y");
            graph.Output("y").Check(fixture.Runtime, "Norm");
        }
    }

    [Theory]
    [InlineData("LayerNormalization", true, true)]
    [InlineData("LayerNormalization", false, false)]
    [InlineData("RMSNormalization", true, false)]
    [InlineData("RMSNormalization", false, true)]
    public void Norm_Modulated_AsTheEngine(string op, bool turned, bool widened)
    {
        foreach (var width in Widths) Modulated(op, turned, widened, [3, Lengths[width % Lengths.Length], width], [3, 1, width]).Output("y").Check(fixture.Runtime, "Norm");
    }

    [Fact]
    public void Norm_ModulatedEverywhereAlike_AsTheEngine() => Modulated("LayerNormalization", turned: false, widened: false, [2, 3, 5, 20], [20]).Output("y").Check(fixture.Runtime, "Norm");

    [Fact]
    public void Norm_ModulatedByPlace_AsTheEngine() => Modulated("LayerNormalization", turned: false, widened: false, [2, 5, 20], [2, 5, 20]).Output("y").Check(fixture.Runtime, "Norm");

    [Fact]
    public void Norm_ModulatedByPlaceOfAnyBatch_KeepsTheSums() =>
        Modulated("LayerNormalization", turned: false, widened: false, [2, 5, 20], [1, 5, 20]).Output("y").Check(fixture.Runtime, "Add", "Norm", "Mul", "Add");

    [Fact]
    public void Norm_WhoseResultIsAnOutputToo_KeepsIt() =>
        Modulated("LayerNormalization", turned: false, widened: false, [2, 5, 20], [2, 1, 20]).Output("y").Output("h").Check(fixture.Runtime, "Add", "Norm", "Mul", "Add");

    [Fact]
    public void Norm_OverAnotherAxis_StaysTheEngines()
    {
        var graph = new SampleGraph(5);
        graph.Node("LayerNormalization", [graph.Input("x", 2, 5, 20), graph.Weight("w", 5, 20)], "y", [2, 5, 20], ("axis", 1L));
        graph.Output("y").Check(fixture.Runtime, "LayerNormalization");
    }

    [Fact]
    public void Norm_RowsOfABatch_AreThoseOfEachAlone()
    {
        var graph = new SampleGraph(7);
        graph.Input("x", -1, 37, 100);
        Norm(graph, "LayerNormalization", bias: true, Epsilon, "y");
        using var session = fixture.Runtime.CreateSession(graph.Output("y").Definition);
        var x = KernelGraphs.Random(new(8), 5 * 3700);

        var together = graph.Run(session, x, 5, 37, 100);

        for (var row = 0; row < 5; row++) Assert.Equal(together[(row * 3700)..((row + 1) * 3700)], graph.Run(session, x[(row * 3700)..((row + 1) * 3700)], 1, 37, 100));
    }

    // As models have it: the smallest epsilon, and rows far from zero, whose squares alone would lose the variance.
    [Theory]
    [InlineData("LayerNormalization", 1e-12f, 0f)]
    [InlineData("LayerNormalization", 1e-5f, 0f)]
    [InlineData("LayerNormalization", 1e-5f, 100f)]
    [InlineData("RMSNormalization", 1e-6f, 0f)]
    [InlineData("RMSNormalization", 1e-6f, 100f)]
    public void Norm_SmallEpsilon_AsInDouble(string op, float epsilon, float offset)
    {
        foreach (var width in Widths.Where(width => width > 1))
        {
            var graph = new SampleGraph(width);
            graph.Input("x", -1, 3, width);
            Norm(graph, op, bias: op == "LayerNormalization", epsilon, "y");
            using var session = fixture.Runtime.CreateSession(graph.Output("y").Definition);
            var x = KernelGraphs.Random(new(9), 2 * 3 * width).Select(value => value + offset).ToArray();

            var found = graph.Run(session, x, 2, 3, width);

            var (weight, bias) = (Floats("w"), op == "LayerNormalization" ? Floats("b") : new float[width]);
            for (var row = 0; row < 6; row++)
            {
                double[] values = [.. x.Skip(row * width).Take(width)];
                var mean = op == "LayerNormalization" ? values.Average() : 0;
                var deviation = Math.Sqrt(values.Average(value => (value - mean) * (value - mean)) + epsilon);
                for (var i = 0; i < width; i++) Assert.Equal((values[i] - mean) / deviation * weight[i] + bias[i], found[row * width + i], Tolerance(offset, deviation));
            }

            float[] Floats(string name) => graph.Definition.Initializers.Single(initializer => initializer.Name == name).Data.Span<float>().ToArray();
        }

        // A number of 32 bits near the offset is known to half of its last place; the norm divides that by the deviation.
        static double Tolerance(float offset, double deviation) => 4e-6 + 2 * (MathF.BitIncrement(offset) - offset) / deviation;
    }

    [Fact]
    public void Norm_NoRows_GivesNone() => Modulated("LayerNormalization", turned: false, widened: true, [2, 0, 20], [2, 1, 20]).Output("y").Check(fixture.Runtime, "Norm");

    private static void Norm(SampleGraph graph, string op, bool bias, float epsilon, string output)
    {
        long[] shape = [.. graph.Definition.Values["x"].Shape.Select(extent => extent.Size)];
        string[] inputs = bias ? ["x", graph.Weight("w", shape[^1]), graph.Weight("b", shape[^1])] : ["x", graph.Weight("w", shape[^1])];
        graph.Node(op, inputs, output, shape, ("axis", -1L), ("epsilon", epsilon));
    }

    // y = h (1 + scale) + shift, where h is the norm of x.
    private static SampleGraph Modulated(string op, bool turned, bool widened, long[] whole, long[] shape)
    {
        var graph = new SampleGraph(11);
        graph.Input("x", whole);
        var (scale, shift) = (Rows("scale"), Rows("shift"));
        var one = graph.Number("one", 1);
        var factor = graph.Node("Add", turned ? [one, scale] : [scale, one], "factor", shape);
        Norm(graph, op, bias: false, Epsilon, "h");
        graph.Node("Mul", turned ? [factor, "h"] : ["h", factor], "scaled", whole);
        graph.Node("Add", turned ? [shift, "scaled"] : ["scaled", shift], "y", whole);
        return graph;

        string Rows(string name) => widened ? graph.Node("Unsqueeze", [graph.Input(name + "s", shape[0], shape[2]), graph.Integers(name + ".axis", 1)], name, shape) : graph.Input(name, shape);
    }
}
