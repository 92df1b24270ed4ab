using System.Diagnostics;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Runtime;

public sealed class SessionTests(RuntimeFixture fixture) : IClassFixture<RuntimeFixture>
{
    private readonly InferenceRuntime _runtime = fixture.Runtime;

    [Fact]
    public void Run_GraphOfWeightsAndInput_ComputesIt()
    {
        using var session = _runtime.CreateSession(SmallGraphs.Linear(rows: 3, columns: 64));
        var x = Tensor.Create([1f, 2, 3], 1, 3);

        var y = session.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"].As<float>();

        Assert.Equal([1, 64], y.Shape.ToArray());
        for (var i = 0; i < 64; i++) Assert.Equal(1 * i + 2 * (64 + i) + 3 * (128 + i), y[0, i]);
    }

    [Fact]
    public void Ports_OfAGraph_KeepTypesAndSymbols()
    {
        using var session = _runtime.CreateSession(SmallGraphs.Linear(rows: 3, columns: 64));

        var input = Assert.Single(session.Inputs);
        Assert.Equal(("x", ElementType.Float32), (input.Name, input.Type));
        Assert.Equal([new(-1, "batch"), 3], input.Shape);
        Assert.Equal("y", Assert.Single(session.Outputs).Name);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public void Run_SymbolicBatch_TakesAnyLength(int batch)
    {
        using var session = _runtime.CreateSession(SmallGraphs.Linear(rows: 3, columns: 64));

        var y = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Zeros<float>(batch, 3) })["y"];

        Assert.Equal([batch, 64], y.Shape.ToArray());
    }

    [Theory]
    [InlineData(3, 5)]
    [InlineData(5, 3)]
    [InlineData(64, 1)]
    public void Run_SeveralSymbols_TakeSizesOfTheirOwn(int n, int m)
    {
        using var session = _runtime.CreateSession(SmallGraphs.TwoLengths());
        Tensor Ones(int length)
        {
            var tensor = Tensor.Zeros<float>(2, length);
            tensor.Span.Fill(1);
            return tensor;
        }

        var sums = session.Run(new Dictionary<string, Tensor> { ["x"] = Ones(n), ["y"] = Ones(m), ["z"] = Ones(n) });

        Assert.Equal([n, n], sums["x_sum"].As<float>().Span.ToArray());
        Assert.Equal([m, m], sums["y_sum"].As<float>().Span.ToArray());
        Assert.Equal([n, n], sums["z_sum"].As<float>().Span.ToArray());
        Assert.DoesNotContain(fixture.Messages, message => message.Text.Contains("re-use buffer"));
    }

    [Fact]
    public void Run_InputsThatDisagreeAboutASymbol_AreRefused()
    {
        using var session = _runtime.CreateSession(SmallGraphs.TwoLengths());
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Zeros<float>(2, 4), ["y"] = Tensor.Zeros<float>(2, 4), ["z"] = Tensor.Zeros<float>(2, 5) };

        var error = Assert.Throws<ModelZooException>(() => session.Run(inputs));

        Assert.Equal((ErrorCodes.TensorType, "two lengths: z, axis 1", "n = 4, as in x", "5"), (error.Code, error.Where, error.Expected, error.Found));
    }

    [Fact]
    public void Run_FixedShapeOutput_IsWrittenInPlace()
    {
        using var session = _runtime.CreateSession(SmallGraphs.Accumulator(5));
        var inputs = new Dictionary<string, Tensor> { ["state"] = Tensor.Create([1f, 2, 3, 4, 5], 5), ["step"] = Tensor.Create([1f, 1, 1, 1, 1], 5) };

        Assert.Equal([2f, 3, 4, 5, 6], session.Run(inputs)["next"].As<float>().Span.ToArray());
    }

    [Fact]
    public void Run_InputOfAnotherShape_SaysWhatFits()
    {
        using var session = _runtime.CreateSession(SmallGraphs.Linear(rows: 3, columns: 64));

        var error = Assert.Throws<ModelZooException>(() => session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Zeros<float>(1, 4) }));

        Assert.Equal(ErrorCodes.TensorType, error.Code);
        Assert.Equal(("x", "Float32[batch, 3]", "Float32[1, 4]"), (error.Where, error.Expected, error.Found));
    }

    [Fact]
    public void Run_MissingOrUnknownNames_AreNamed()
    {
        using var session = _runtime.CreateSession(SmallGraphs.Linear(rows: 3, columns: 64));
        var x = Tensor.Zeros<float>(1, 3);

        Assert.Contains("x", Assert.Throws<ModelZooException>(() => session.Run(new Dictionary<string, Tensor>())).Where);
        Assert.Equal("z", Assert.Throws<ModelZooException>(() => session.Run(new Dictionary<string, Tensor> { ["x"] = x, ["z"] = x })).Where);
        Assert.Equal("z", Assert.Throws<ModelZooException>(() => session.Run(new Dictionary<string, Tensor> { ["x"] = x }, ["z"])).Where);
    }

    [Fact]
    public void Create_NodeThatDoesNotExist_IsAnEngineError()
    {
        var graph = new GraphDefinition { Name = "wrong" };
        graph.Inputs.Add(new("x", ElementType.Float32, [1]));
        graph.Outputs.Add(new("y", ElementType.Float32, [1]));
        graph.Nodes.Add(new("NoSuchOperator", "", "blocks.0.attn", ["x"], ["y"], SmallGraphs.None));

        var error = Assert.Throws<ModelZooException>(() => _runtime.CreateSession(graph));

        Assert.Equal(ErrorCodes.EngineFailed, error.Code);
        Assert.Contains("NoSuchOperator", error.Message);
    }

    [Fact]
    public void Create_AttributesOfEveryKind_ReachTheOperator()
    {
        var graph = new GraphDefinition { Name = "attributes" };
        graph.Inputs.Add(new("x", ElementType.Float32, [1, 1, 2, 2]));
        graph.Outputs.Add(new("y", ElementType.Float32, [1, 1, 4, 4]));
        graph.Initializers.Add(new("scales", WeightData.Copy<float>([1, 1, 2, 2], 4)));
        graph.Nodes.Add(new("LeakyRelu", "", "leaky", ["x"], ["h"], new Dictionary<string, object> { ["alpha"] = 0.5f }));
        graph.Nodes.Add(new("Transpose", "", "transpose", ["h"], ["t"], new Dictionary<string, object> { ["perm"] = new long[] { 0, 1, 3, 2 } }));
        graph.Nodes.Add(new("Resize", "", "resize", ["t", "", "scales"], ["y"], new Dictionary<string, object> { ["mode"] = "nearest", ["nearest_mode"] = "floor", ["antialias"] = 0L, ["coordinate_transformation_mode"] = "asymmetric" }));
        using var session = _runtime.CreateSession(graph);

        var y = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create([1f, -2, 3, -4], 1, 1, 2, 2) })["y"].As<float>();

        Assert.Equal([1f, 1, 3, 3, 1, 1, 3, 3, -1, -1, -2, -2, -1, -1, -2, -2], y.Span.ToArray());
    }

    [Fact]
    public void Run_CancelledWhileItRuns_StopsBeforeTheEnd()
    {
        using var session = _runtime.CreateSession(SmallGraphs.Chain(size: 192, length: 2000));
        using var cancel = new CancellationTokenSource();
        cancel.CancelAfter(10);

        var error = Assert.ThrowsAny<OperationCanceledException>(() => session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Zeros<float>(192, 192) }, cancel: cancel.Token));

        Assert.Equal(cancel.Token, error.CancellationToken);
        Assert.Contains("terminate", error.InnerException!.Message);
    }

    [Fact]
    public void BoundRun_Cancelled_RunsAgainAfterwards()
    {
        using var session = _runtime.CreateSession(SmallGraphs.Chain(size: 64, length: 2000));
        using var run = session.Bind();
        using var cancel = new CancellationTokenSource();
        run.Bind("x", Tensor.Zeros<float>(64, 64));
        run.BindOutput("y");
        cancel.CancelAfter(3);

        void RunForever()
        {
            while (true) run.Run(cancel.Token);
        }

        Assert.ThrowsAny<OperationCanceledException>(RunForever);
        run.Run();
        using var y = run.Take("y");
        Assert.Equal([64, 64], y.Shape.ToArray());
    }

    [Fact]
    public async Task Dispose_WhileRunsGoOn_LetsThemEnd()
    {
        var session = _runtime.CreateSession(SmallGraphs.Chain(size: 128, length: 300));
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Zeros<float>(128, 128) };
        var runs = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            var count = 0;
            try
            {
                for (; count < 10_000; count++) session.Run(inputs);
            }
            catch (ObjectDisposedException)
            {
                return count;
            }

            return -1;
        })).ToArray();

        await Task.Delay(50);
        session.Dispose();

        Assert.DoesNotContain(-1, await Task.WhenAll(runs));
        Assert.Throws<ObjectDisposedException>(() => session.Run(inputs));
    }

    [Fact]
    public void Runtime_DisposedBeforeItsSession_LeavesTheSessionUsable()
    {
        var runtime = new InferenceRuntime();
        using var session = runtime.CreateSession(SmallGraphs.Accumulator(1));
        runtime.Dispose();

        Assert.Equal(3, session.Run(new Dictionary<string, Tensor> { ["state"] = Tensor.Create([1f], 1), ["step"] = Tensor.Create([2f], 1) })["next"].As<float>()[0]);
        Assert.Throws<ObjectDisposedException>(() => runtime.CreateSession(SmallGraphs.Accumulator(1)));
    }

    [Fact]
    public void Create_MappedWeightsWithoutPrepacking_TakesNoMemoryOfItsOwn()
    {
        const int Rows = 4096, Columns = 8192;
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.safetensors");
        try
        {
            SafetensorsWriter.Write(path, new Dictionary<string, Tensor> { ["w"] = Tensor.Zeros<float>(Rows, Columns) });
            using var checkpoint = Checkpoint.Open(path);
            var weight = checkpoint.Get("w");
            GC.Collect();
            var before = PrivateBytes();
            using var session = _runtime.CreateSession(SmallGraphs.Linear(weight), new() { Prepack = false });
            var taken = PrivateBytes() - before;

            Assert.Equal((Rows * Columns * 4L, 0L), (session.Memory.MappedBytes, session.Memory.PrivateBytes));
            Assert.Equal(weight.Address, checkpoint.Get("w").Address);
            Assert.True(taken < 16 << 20, $"A session of {session.Memory.MappedBytes >> 20} MB of mapped weights took {taken >> 20} MB of private memory.");
        }
        finally
        {
            File.Delete(path);
        }
    }

    // Memory that only this process has: what a copy of the weights would show in.
    private static long PrivateBytes()
    {
        if (!OperatingSystem.IsLinux()) return Process.GetCurrentProcess().PrivateMemorySize64;
        return File.ReadLines("/proc/self/status").Where(l => l.StartsWith("RssAnon", StringComparison.Ordinal)).Select(l => long.Parse(l.Split(':')[1].Replace("kB", "").Trim()) * 1024).Single();
    }
}
