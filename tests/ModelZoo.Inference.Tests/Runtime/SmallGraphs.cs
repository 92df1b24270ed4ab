using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Runtime;

/// <summary>Small graphs to run.</summary>
internal static class SmallGraphs
{
    public static readonly IReadOnlyDictionary<string, object> None = new Dictionary<string, object>();

    /// <summary>y (batch, columns) = x (batch, rows) times a matrix that counts up from 0.</summary>
    public static GraphDefinition Linear(int rows, int columns)
    {
        var weight = WeightData.Create<float>([rows, columns], w =>
        {
            for (var i = 0; i < w.Length; i++) w[i] = i;
        });
        return Linear(weight);
    }

    /// <summary>y (batch, columns) = x (batch, rows) times <paramref name="weight"/>.</summary>
    public static GraphDefinition Linear(WeightData weight)
    {
        var graph = new GraphDefinition { Name = "linear" };
        graph.Inputs.Add(new("x", ElementType.Float32, [new(-1, "batch"), weight.Shape[0]]));
        graph.Outputs.Add(new("y", ElementType.Float32, [new(-1, "batch"), weight.Shape[1]]));
        graph.Initializers.Add(new("w", weight));
        graph.Nodes.Add(new("MatMul", "", "linear", ["x", "w"], ["y"], None));
        return graph;
    }

    /// <summary>x (size, size) multiplied with itself again and again, each time scaled down; long enough to be stopped.</summary>
    public static GraphDefinition Chain(int size, int length)
    {
        var graph = new GraphDefinition { Name = "chain" };
        graph.Inputs.Add(new("x", ElementType.Float32, [size, size]));
        graph.Outputs.Add(new("y", ElementType.Float32, [size, size]));
        graph.Initializers.Add(new("scale", WeightData.Copy<float>([1f / size])));
        for (var i = 0; i < length; i++)
        {
            graph.Nodes.Add(new("MatMul", "", $"multiply.{i}", [i == 0 ? "x" : $"h{i}", "x"], [$"m{i}"], None));
            graph.Nodes.Add(new("Mul", "", $"scale.{i}", [$"m{i}", "scale"], [i == length - 1 ? "y" : $"h{i + 1}"], None));
        }

        return graph;
    }

    /// <summary>Two sequences of other lengths, x (batch, n) and y (batch, m), each changed in several steps -> the sums of both (batch), and that of z, which is as long as x.</summary>
    public static GraphDefinition TwoLengths()
    {
        var graph = new GraphDefinition { Name = "two lengths" };
        graph.Inputs.AddRange([new("x", ElementType.Float32, [new(-1, "batch"), new(-1, "n")]), new("y", ElementType.Float32, [new(-1, "batch"), new(-1, "m")]), new("z", ElementType.Float32, [new(-1, "batch"), new(-1, "n")])]);
        graph.Initializers.Add(new("axes", WeightData.Copy<long>([1], 1)));
        foreach (var name in new[] { "x", "y", "z" })
        {
            graph.Outputs.Add(new($"{name}_sum", ElementType.Float32, [new(-1, "batch")]));
            graph.Nodes.Add(new("Neg", "", $"{name}/neg", [name], [$"{name}_neg"], None));
            graph.Nodes.Add(new("Abs", "", $"{name}/abs", [$"{name}_neg"], [$"{name}_abs"], None));
            graph.Nodes.Add(new("ReduceSum", "", $"{name}/sum", [$"{name}_abs", "axes"], [$"{name}_sum"], new Dictionary<string, object> { ["keepdims"] = 0L }));
        }

        return graph;
    }

    /// <summary>state (n) plus step (n) gives next (n): a loop.</summary>
    public static GraphDefinition Accumulator(int n)
    {
        var graph = new GraphDefinition { Name = "accumulator" };
        graph.Inputs.Add(new("state", ElementType.Float32, [n]));
        graph.Inputs.Add(new("step", ElementType.Float32, [n]));
        graph.Outputs.Add(new("next", ElementType.Float32, [n]));
        graph.Nodes.Add(new("Add", "", "add", ["state", "step"], ["next"], None));
        return graph;
    }
}
