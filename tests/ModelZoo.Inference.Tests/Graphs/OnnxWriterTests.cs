using ModelZoo.Contracts;
using ModelZoo.Inference.Tests.Runtime;

namespace ModelZoo.Inference.Tests.Graphs;

public sealed class OnnxWriterTests(RuntimeFixture fixture) : IClassFixture<RuntimeFixture>, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    public void Write_ReadBackByTheEngine_ComputesTheSame(bool external, int files)
    {
        var graph = Everything();
        var path = Path.Combine(_folder, "graph.onnx");
        OnnxWriter.Write(graph, path, new() { ExternalData = external });
        using var built = fixture.Runtime.CreateSession(graph);
        using var read = fixture.Runtime.CreateSession(path);
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Create([.. Enumerable.Range(0, 96).Select(i => MathF.Sin(i))], 3, 32) };

        Assert.Equal(files, Directory.GetFiles(_folder).Length);
        Assert.Equal(built.Inputs.Single().Shape, read.Inputs.Single().Shape);
        Assert.Equal(built.Run(inputs)["y"].As<float>().Span.ToArray(), read.Run(inputs)["y"].As<float>().Span.ToArray());
    }

    [Fact]
    public void Write_AttributeThatNobodyTakes_LeavesNoFile()
    {
        var graph = SmallGraphs.Accumulator(1);
        graph.Nodes.Add(new("Add", "", "wrong", ["state", "step"], ["z"], new Dictionary<string, object> { ["axis"] = 1 }));

        var error = Assert.Throws<GraphException>(() => OnnxWriter.Write(graph, Path.Combine(_folder, "graph.onnx")));

        Assert.Equal("wrong", error.Where);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    // Linear, bias, a contributed operator, attributes of every kind, a symbolic extent.
    private static GraphDefinition Everything()
    {
        var graph = new GraphDefinition { Name = "everything" };
        graph.Inputs.Add(new("x", ElementType.Float32, [new(-1, "batch"), 32]));
        graph.Outputs.Add(new("y", ElementType.Float32, [new(-1, "batch"), 4]));
        graph.Initializers.Add(new("w", WeightData.Create<float>([32, 64], w =>
        {
            for (var i = 0; i < w.Length; i++) w[i] = MathF.Cos(i);
        })));
        graph.Initializers.Add(new("b", WeightData.Create<float>([64], b => b.Fill(0.25f))));
        graph.Initializers.Add(new("shape", WeightData.Copy<long>([0, 4, 16], 3)));
        graph.Nodes.Add(new("Gemm", "", "linear", ["x", "w"], ["h"], new Dictionary<string, object> { ["alpha"] = 0.5f, ["transB"] = 0L }));
        graph.Nodes.Add(new("BiasGelu", "com.microsoft", "gelu", ["h", "b"], ["g"], SmallGraphs.None));
        graph.Nodes.Add(new("Reshape", "", "split", ["g", "shape"], ["s"], SmallGraphs.None));
        graph.Nodes.Add(new("Transpose", "", "swap", ["s"], ["t"], new Dictionary<string, object> { ["perm"] = new long[] { 0, 2, 1 } }));
        graph.Nodes.Add(new("ReduceMean", "", "mean", ["t", "axis"], ["y"], new Dictionary<string, object> { ["keepdims"] = 0L }));
        graph.Initializers.Add(new("axis", WeightData.Copy<long>([1], 1)));
        return graph;
    }
}
