using ModelZoo.Inference.Tests.Runtime;

namespace ModelZoo.Inference.Tests.Kernels;

public sealed class LinearGroupTests(RuntimeFixture fixture) : IClassFixture<RuntimeFixture>
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(300)]
    public void Maps_OfTheSameRows_AreOneNode(long rows)
    {
        foreach (var columns in new long[][] { [64, 64, 64], [17, 300, 1], [32, 40] })
        {
            for (var shown = 0; shown < columns.Length; shown++)
            {
                var graph = new SampleGraph(2);
                graph.Input("x", 2, rows, 20);
                for (var i = 0; i < columns.Length; i++) graph.Linear("x", $"y{i}", 2, rows, columns[i]);
                for (var i = 0; i < columns.Length; i++) graph.Output($"y{(shown + i) % columns.Length}");
                graph.Check(fixture.Runtime, "Linear");
            }
        }
    }

    [Fact]
    public void Maps_WithActivationsAndRowsAsTheyAre_AreOneNode()
    {
        var graph = new SampleGraph(3);
        graph.Input("x", 7, 20);
        graph.Node("Gemm", ["x", graph.Weight("w", 48, 20)], "a", [7, 48], ("transB", 1L));
        graph.Node("Relu", ["a"], "b", [7, 48]);
        graph.Linear("x", "c", 7, 48);
        graph.Node("Mul", ["b", "c"], "y", [7, 48]);
        graph.Output("y").Check(fixture.Runtime, "Linear", "Mul");
    }

    [Fact]
    public void Maps_OfWhatAnotherGives_StayInOrder()
    {
        var graph = new SampleGraph(4);
        graph.Input("x", 3, 20);
        graph.Linear("x", "a", 3, 20);
        graph.Linear("a", "b", 3, 20);
        graph.Linear("x", "c", 3, 20);
        graph.Node("Mul", ["b", "c"], "y", [3, 20]);
        graph.Output("y").Check(fixture.Runtime, "Linear", "Linear", "Mul");
    }

    [Fact]
    public void Maps_WhoseShapeIsComputedBetween_StayAlone()
    {
        var graph = new SampleGraph(5);
        graph.Input("x", 3, 20);
        graph.Linear("x", "a", 3, 20);
        graph.Definition.Nodes.Add(new("Shape", "", "shape", ["a"], ["shape"], SmallGraphs.None));
        graph.Node("Gemm", ["x", graph.Weight("w", 20, 20)], "rows", [3, 20]);
        graph.Node("Reshape", ["rows", "shape"], "b", [3, 20]);
        graph.Node("Mul", ["a", "b"], "y", [3, 20]);
        graph.Output("y").Check(fixture.Runtime, "Linear", "Shape", "Linear", "Mul");
    }

    [Theory]
    [InlineData(64, 32, 40, true)]
    [InlineData(32, 32, 32, false)]
    [InlineData(96, 64, 1, true)]
    public void Map_CutApart_GivesTheParts(long first, long second, long third, bool counted)
    {
        foreach (var rows in new long[] { 0, 1, 13, 260 })
        {
            foreach (var shown in new[] { "a", "b", "c" }) Cut(rows, [first, second, third], counted ? 2 : -1).Output(shown).Check(fixture.Runtime, "Linear");
        }
    }

    [Fact]
    public void Map_CutApartWithinAPanel_KeepsTheCut() => Cut(5, [30, 34, 32], 2).Output("b").Check(fixture.Runtime, "Linear", "Split");

    [Fact]
    public void Map_CutApartAndReadAsAWhole_KeepsTheCut() => Cut(5, [32, 32, 32], 2).Output("b").Output("h").Check(fixture.Runtime, "Linear", "Split");

    [Fact]
    public void Map_CutApartByRows_KeepsTheCut()
    {
        var graph = new SampleGraph(7);
        graph.Input("x", 2, 64, 20);
        graph.Linear("x", "h", 2, 64, 64);
        Cut(graph, 1, ("a", [2, 32, 64]), ("b", [2, 32, 64]));
        graph.Output("b").Check(fixture.Runtime, "Linear", "Split");
    }

    // x (2, rows, 20) mapped, and cut into a, b, c.
    private static SampleGraph Cut(long rows, long[] sizes, long axis)
    {
        var graph = new SampleGraph(6);
        graph.Input("x", 2, rows, 20);
        graph.Linear("x", "h", 2, rows, sizes.Sum());
        Cut(graph, axis, ("a", [2, rows, sizes[0]]), ("b", [2, rows, sizes[1]]), ("c", [2, rows, sizes[2]]));
        return graph;
    }

    private static void Cut(SampleGraph graph, long axis, params (string Name, long[] Shape)[] parts)
    {
        graph.Node("Split", ["h", graph.Integers("sizes", [.. parts.Select(part => part.Shape[axis < 0 ? ^1 : (int)axis])])], parts[0].Name, parts[0].Shape, ("axis", axis));
        var node = graph.Definition.Nodes[^1];
        graph.Definition.Nodes[^1] = node with { Outputs = [.. parts.Select(part => part.Name)] };
        foreach (var (name, shape) in parts) graph.Definition.Values[name] = new(name, Contracts.ElementType.Float32, [.. shape.Select(size => new GraphDimension(size))]);
    }
}
