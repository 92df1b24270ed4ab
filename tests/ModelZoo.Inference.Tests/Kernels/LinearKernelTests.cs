using ModelZoo.Contracts;
using ModelZoo.Inference.Tests.Runtime;

namespace ModelZoo.Inference.Tests.Kernels;

public sealed class LinearKernelTests(RuntimeFixture fixture) : IClassFixture<RuntimeFixture>
{
    private static readonly int[] Sizes = [1, 2, 3, 5, 8, 11, 12, 13, 24, 25, 31, 32, 33, 63, 64, 65, 100, 197, 241, 300];

    [Fact]
    public void Gemm_AnyShape_AsTheEngine()
    {
        var random = new Random(1);
        for (var i = 0; i < 60; i++)
        {
            var (rows, depth, columns) = (Sizes[random.Next(Sizes.Length)], Sizes[random.Next(Sizes.Length)], Sizes[random.Next(Sizes.Length)]);
            var graph = Graph(random, depth, columns, transposed: random.Next(2) == 0, bias: random.Next(2) == 0);
            KernelGraphs.SameAsEngine(fixture.Runtime, graph, Inputs(random, rows, depth));
        }
    }

    [Fact]
    public void Gemm_RowsOfABatch_AreThoseOfEachAlone()
    {
        var random = new Random(2);
        var graph = Graph(random, 300, 100, transposed: false, bias: true);
        using var session = fixture.Runtime.CreateSession(graph);
        var x = KernelGraphs.Random(random, 29 * 300);

        var together = Run(session, x, 29);

        for (var row = 0; row < 29; row++) Assert.Equal(together[(row * 100)..((row + 1) * 100)], Run(session, x[(row * 300)..((row + 1) * 300)], 1));
    }

    [Fact]
    public void Gemm_NoRows_GivesNone()
    {
        var random = new Random(3);
        using var session = fixture.Runtime.CreateSession(Graph(random, 8, 9, transposed: false, bias: true));

        Assert.Empty(Run(session, [], 0));
    }

    [Fact]
    public void Gemm_OfNoDepth_GivesTheBias()
    {
        var random = new Random(6);
        var graph = Graph(random, 0, 40, transposed: false, bias: true);
        using var session = fixture.Runtime.CreateSession(graph);

        var y = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create(Array.Empty<float>(), 3, 0) })["y"].As<float>().Span.ToArray();

        var bias = graph.Initializers.Single(initializer => initializer.Name == "b").Data.Span<float>().ToArray();
        Assert.Equal([.. bias, .. bias, .. bias], y);
    }

    [Theory]
    [InlineData("Relu", null, null)]
    [InlineData("Gelu", "none", null)]
    [InlineData("Gelu", "tanh", null)]
    [InlineData("com.microsoft:QuickGelu", null, 1f)]
    [InlineData("com.microsoft:QuickGelu", null, 1.702f)]
    [InlineData("com.microsoft:QuickGelu", null, 0.5f)]
    [InlineData("Sigmoid", null, null)]
    public void Gemm_BetweenReshapesWithAnActivation_AsTheEngine(string function, string? form, float? alpha)
    {
        var random = new Random(4);
        foreach (var (length, columns, literal) in new[] { (7, 40, false), (1, 32, true), (13, 33, false) })
        {
            var graph = Between(random, 20, columns, function, form, alpha, literal);
            KernelGraphs.SameAsEngine(fixture.Runtime, graph, new Dictionary<string, Tensor> { ["x"] = Tensor.Create(KernelGraphs.Random(random, 3 * length * 20), 3, length, 20) });
        }
    }

    [Fact]
    public void Gemm_WhoseRowsAreAnOutputToo_KeepsThem()
    {
        var random = new Random(5);
        var graph = Between(random, 20, 32, "Relu", null, null, literal: true);
        graph.Outputs.Add(new("rows", ElementType.Float32, [new(-1, "rows"), 32]));
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Create(KernelGraphs.Random(random, 3 * 20), 3, 1, 20) };
        KernelGraphs.SameAsEngine(fixture.Runtime, graph, inputs);

        using var session = fixture.Runtime.CreateSession(graph);
        var results = session.Run(inputs);

        Assert.Equal(results["y"].As<float>().Span.ToArray(), results["rows"].As<float>().Span.ToArray().Select(value => Math.Max(value, 0)));
    }

    [Theory]
    [InlineData(32, false)]
    [InlineData(70, true)]
    [InlineData(17, false)]
    [InlineData(1, true)]
    public void Gemm_AddedToValues_AsTheEngine(int columns, bool turned)
    {
        foreach (var rows in new[] { 0, 1, 5, 13, 300 })
        {
            var graph = new SampleGraph(columns);
            graph.Input("x", 2, rows, 20);
            graph.Input("r", 2, rows, columns);
            var h = graph.Linear("x", "h", 2, rows, columns);
            graph.Node("Add", turned ? [h, "r"] : ["r", h], "y", [2, rows, columns]);
            graph.Output("y").Check(fixture.Runtime, "Linear");
        }
    }

    [Theory]
    [InlineData(32, 1, false)]
    [InlineData(70, 1, true)]
    [InlineData(17, 0, false)]
    public void Gemm_AddedToValuesThroughAGate_AsTheEngine(int columns, int shape, bool turned)
    {
        foreach (var rows in new[] { 0, 1, 5, 13, 300 })
        {
            var graph = new SampleGraph(columns);
            graph.Input("x", 3, rows, 20);
            graph.Input("r", 3, rows, columns);
            var gate = shape == 0 ? graph.Weight("g", columns) : graph.Node("Unsqueeze", [graph.Input("gates", 3, columns), graph.Integers("axis", 1)], "gate", [3, 1, columns]);
            var h = graph.Linear("x", "h", 3, rows, columns);
            graph.Node("Mul", turned ? [h, gate] : [gate, h], "gated", [3, rows, columns]);
            graph.Node("Add", turned ? ["gated", "r"] : ["r", "gated"], "y", [3, rows, columns]);
            graph.Output("y").Check(fixture.Runtime, "Linear");
        }
    }

    [Fact]
    public void Gemm_AddedToAnother_AsTheEngine()
    {
        var graph = new SampleGraph(1);
        graph.Input("x", 2, 5, 20);
        graph.Linear("x", "a", 2, 5, 40);
        graph.Linear("x", "b", 2, 5, 40);
        graph.Node("Add", ["a", "b"], "y", [2, 5, 40]);
        graph.Output("y").Check(fixture.Runtime, "Linear", "Linear");
    }

    [Fact]
    public void Gemm_AddedToItself_KeepsTheSum()
    {
        var graph = new SampleGraph(1);
        graph.Input("x", 2, 5, 20);
        graph.Linear("x", "h", 2, 5, 40);
        graph.Node("Add", ["h", "h"], "y", [2, 5, 40]);
        graph.Output("y").Check(fixture.Runtime, "Linear", "Add");
    }

    [Theory]
    [InlineData(1, 5, 40)]
    [InlineData(2, 1, 40)]
    [InlineData(2, 5, 1)]
    public void Gemm_AddedToValuesOfAnotherShape_KeepsTheSum(long batch, long length, long columns)
    {
        foreach (var turned in new[] { false, true })
        {
            var (small, whole) = ((long[])[batch, length, columns], (long[])[2, 5, 40]);
            var graph = new SampleGraph(1);
            graph.Input("x", [.. (turned ? small : whole)[..2], 20]);
            graph.Input("r", turned ? whole : small);
            graph.Linear("x", "h", turned ? small : whole);
            graph.Node("Add", ["r", "h"], "y", whole);
            graph.Output("y").Check(fixture.Runtime, "Linear", "Add");
        }
    }

    [Fact]
    public void Gemm_ReadBeforeTheSumToo_KeepsIt()
    {
        var graph = new SampleGraph(1);
        graph.Input("x", 2, 5, 20);
        graph.Input("r", 2, 5, 40);
        graph.Linear("x", "h", 2, 5, 40);
        graph.Node("Add", ["r", "h"], "y", [2, 5, 40]);
        graph.Output("y").Output("h").Check(fixture.Runtime, "Linear", "Add");
    }

    // x (3, N, depth) as rows, multiplied, in their shape again, and through the activation.
    private static GraphDefinition Between(Random random, int depth, int columns, string function, string? form, float? alpha, bool literal)
    {
        var graph = new GraphDefinition { Name = "mlp" };
        graph.Inputs.Add(new("x", ElementType.Float32, [3, new(-1, "n"), depth]));
        graph.Outputs.Add(new("y", ElementType.Float32, [3, new(-1, "n"), columns]));
        graph.Initializers.Add(new("w", KernelGraphs.Weight(random, columns, depth)));
        graph.Initializers.Add(new("b", KernelGraphs.Weight(random, columns)));
        graph.Initializers.Add(new("flat", WeightData.Copy<long>([-1, depth], 2)));
        graph.Initializers.Add(new("shape", WeightData.Copy<long>([3, literal ? 1 : -1, columns], 3)));
        graph.Nodes.Add(new("Reshape", "", "flatten", ["x", "flat"], ["h"], SmallGraphs.None));
        graph.Nodes.Add(new("Gemm", "", "linear", ["h", "w", "b"], ["rows"], new Dictionary<string, object> { ["transB"] = 1L }));
        graph.Nodes.Add(new("Reshape", "", "back", ["rows", "shape"], ["z"], new Dictionary<string, object> { ["allowzero"] = literal ? 1L : 0L }));
        var (domain, name) = function.Split(':') is [var first, var second] ? (first, second) : ("", function);
        var attributes = new Dictionary<string, object>();
        if (form is not null) attributes["approximate"] = form;
        if (alpha is not null) attributes["alpha"] = alpha.Value;
        graph.Nodes.Add(new(name, domain, "activation", ["z"], ["y"], attributes));
        return graph;
    }

    private static float[] Run(Session session, float[] x, int rows) => session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create(x, rows, rows == 0 ? 8 : x.Length / rows) })["y"].As<float>().Span.ToArray();

    private static Dictionary<string, Tensor> Inputs(Random random, int rows, int depth) => new() { ["x"] = Tensor.Create(KernelGraphs.Random(random, rows * depth), rows, depth) };

    private static GraphDefinition Graph(Random random, int depth, int columns, bool transposed, bool bias)
    {
        var graph = new GraphDefinition { Name = "linear" };
        graph.Inputs.Add(new("x", ElementType.Float32, [new(-1, "rows"), depth]));
        graph.Outputs.Add(new("y", ElementType.Float32, [new(-1, "rows"), columns]));
        graph.Initializers.Add(new("w", transposed ? KernelGraphs.Weight(random, depth, columns) : KernelGraphs.Weight(random, columns, depth)));
        if (bias) graph.Initializers.Add(new("b", KernelGraphs.Weight(random, columns)));
        graph.Nodes.Add(new("Gemm", "", "linear", bias ? ["x", "w", "b"] : ["x", "w"], ["y"], transposed ? SmallGraphs.None : new Dictionary<string, object> { ["transB"] = 1L }));
        return graph;
    }
}
