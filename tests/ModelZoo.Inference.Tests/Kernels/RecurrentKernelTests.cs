using ModelZoo.Contracts;
using ModelZoo.Inference.Tests.Runtime;

namespace ModelZoo.Inference.Tests.Kernels;

public sealed class RecurrentKernelTests(RuntimeFixture fixture) : IClassFixture<RuntimeFixture>
{
    [Theory]
    [InlineData("LSTM")]
    [InlineData("GRU")]
    public void Layer_AnyShape_AsTheEngine(string op)
    {
        var random = new Random(1);
        int Any(params int[] values) => values[random.Next(values.Length)];
        for (var i = 0; i < 30; i++)
        {
            var sizes = new Sizes(Any(1, 2, 7, 75, 500), Any(1, 1, 2, 5, 13), Any(1, 3, 32, 100), Any(1, 5, 31, 32, 33, 64, 100, 128), random.Next(2) == 0);
            var graph = Graph(random, op, sizes, bias: random.Next(4) > 0);
            KernelGraphs.SameAsEngine(fixture.Runtime, graph, Inputs(random, sizes), 5e-6);
        }
    }

    [Theory]
    [InlineData("LSTM")]
    [InlineData("GRU")]
    public void Layer_RowsOfABatch_AreThoseOfEachAlone(string op)
    {
        var random = new Random(2);
        var sizes = new Sizes(9, 14, 20, 40, Bidirectional: true);
        var x = Inputs(random, sizes)["x"].As<float>();
        using var session = fixture.Runtime.CreateSession(Graph(random, op, sizes, bias: true));

        var together = Run(session, x);

        for (var row = 0; row < sizes.Batch; row++) Assert.Equal(Row(together, sizes.Hidden, row), Run(session, Tensor.Create(Row(x, sizes.Inputs, row), sizes.Steps, 1, sizes.Inputs)).Span.ToArray());

        float[] Row(Tensor<float> values, int width, int row) => [.. Enumerable.Range(0, (int)(values.Span.Length / (sizes.Batch * width))).SelectMany(i => values.Span.Slice((i * sizes.Batch + row) * width, width).ToArray())];
    }

    [Fact]
    public void Layer_WhoseLastStateIsRead_StaysTheEngines()
    {
        var random = new Random(3);
        var sizes = new Sizes(5, 2, 8, 16, Bidirectional: false);
        var graph = Graph(random, "LSTM", sizes, bias: true);
        graph.Outputs.Add(new("hidden", ElementType.Float32, [1, new(-1, "batch"), sizes.Hidden]));
        using var session = fixture.Runtime.CreateSession(graph);

        var results = session.Run(Inputs(random, sizes));

        Assert.Equal(results["y"].As<float>().Span[^(2 * sizes.Hidden)..].ToArray(), results["hidden"].As<float>().Span.ToArray());
    }

    [Theory]
    [InlineData(0, 3)]
    [InlineData(4, 0)]
    public void Layer_OfNothing_GivesNothing(int steps, int batch)
    {
        // The engine's own GRU ends the process here (ONNX Runtime 1.30).
        if (fixture.Runtime.OwnOperators.Count == 0) return;
        var sizes = new Sizes(steps, batch, 4, 8, Bidirectional: true);
        using var session = fixture.Runtime.CreateSession(Graph(new(4), "GRU", sizes, bias: true));

        Assert.Equal([steps, 2, batch, 8], session.Run(Inputs(new(5), sizes))["y"].Shape.ToArray());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public async Task StepTeam_AnyThreads_EachPieceOnceAndStepsInOrder(int threads)
    {
        const int steps = 40, pieces = 7;
        var (done, disorder) = (new int[steps, pieces], 0);
        var team = new ModelZoo.Inference.Kernels.StepTeam(steps, pieces, threads, (step, piece) =>
        {
            for (var other = 0; step > 0 && other < pieces; other++) if (Volatile.Read(ref done[step - 1, other]) != 1) Interlocked.Increment(ref disorder);
            Interlocked.Increment(ref done[step, piece]);
        });

        await Task.WhenAll(Enumerable.Range(0, threads).Select(share => Task.Run(() => team.Help(share))));

        Assert.Equal(0, disorder);
        foreach (var count in done) Assert.Equal(1, count);
    }

    [Fact]
    public async Task StepTeam_PieceThatFails_LetsEverybodyGo()
    {
        var team = new ModelZoo.Inference.Kernels.StepTeam(9, 4, 2, (step, _) => { if (step == 3) throw new InvalidOperationException(); });

        var helpers = Enumerable.Range(0, 2).Select(share => Task.Run(() => team.Help(share))).ToArray();

        await Assert.ThrowsAsync<InvalidOperationException>(() => Task.WhenAll(helpers));
    }

    private static Tensor<float> Run(Session session, Tensor x) => session.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"].As<float>();

    private static Dictionary<string, Tensor> Inputs(Random random, Sizes sizes) =>
        new() { ["x"] = Tensor.Create(KernelGraphs.Random(random, sizes.Steps * sizes.Batch * sizes.Inputs), sizes.Steps, sizes.Batch, sizes.Inputs) };

    private static GraphDefinition Graph(Random random, string op, Sizes sizes, bool bias)
    {
        var (gates, directions) = (op == "LSTM" ? 4 : 3, sizes.Bidirectional ? 2 : 1);
        var graph = new GraphDefinition { Name = "recurrent" };
        graph.Inputs.Add(new("x", ElementType.Float32, [new(-1, "steps"), new(-1, "batch"), sizes.Inputs]));
        graph.Outputs.Add(new("y", ElementType.Float32, [new(-1, "steps"), directions, new(-1, "batch"), sizes.Hidden]));
        graph.Initializers.Add(new("w", KernelGraphs.Weight(random, directions, gates * sizes.Hidden, sizes.Inputs)));
        graph.Initializers.Add(new("r", Scaled(random, 1 / MathF.Sqrt(sizes.Hidden), directions, gates * sizes.Hidden, sizes.Hidden)));
        if (bias) graph.Initializers.Add(new("b", KernelGraphs.Weight(random, directions, 2 * gates * sizes.Hidden)));
        var attributes = new Dictionary<string, object> { ["hidden_size"] = (long)sizes.Hidden, ["direction"] = sizes.Bidirectional ? "bidirectional" : "forward" };
        if (op == "GRU") attributes["linear_before_reset"] = 1L;
        graph.Nodes.Add(new(op, "", "layer", bias ? ["x", "w", "r", "b"] : ["x", "w", "r"], ["y", "hidden"], attributes));
        return graph;
    }

    private static WeightData Scaled(Random random, float factor, params long[] shape) => WeightData.Copy<float>(Array.ConvertAll(KernelGraphs.Random(random, Tensor.Count(shape)), value => value * factor), shape);

    private sealed record Sizes(int Steps, int Batch, int Inputs, int Hidden, bool Bidirectional);
}
