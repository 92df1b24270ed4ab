using ModelZoo.Contracts;

namespace ModelZoo.Inference.Kernels;

/// <summary>
/// Products with a constant matrix: Gemm, with the Reshape to rows before it, the one back after it, and an activation.
/// </summary>
internal static class LinearRule
{
    public static void Apply(RewrittenGraph graph, GraphNode node)
    {
        if (node is not { Operator: "Gemm", Domain: "" } || graph.Weight(node, 1) is not { Count: > 0 } weight || node.Attributes.Keys.Any(key => key != "transB")) return;
        var transposed = node.Attributes.GetValueOrDefault("transB") is not 1L;
        var bias = graph.Weight(node, 2);
        if (RewrittenGraph.Named(node, 2) is not null && bias?.Count != weight.Shape[transposed ? 1 : 0]) return;

        // Rows lie side by side in memory whatever the shape, so that the kernel needs only the shape that is wanted in the end.
        List<string> inputs = [graph.Writer(node.Inputs[0]) is { Operator: "Reshape" } rows ? rows.Inputs[0] : node.Inputs[0]];
        List<GraphNode> nodes = [node];
        var (shape, form) = ((string?)null, new LinearForm());
        if (graph.Reader(node.Outputs[0]) is { Operator: "Reshape" } back && back.Inputs[0] == node.Outputs[0])
        {
            shape = back.Inputs[1];
            nodes.Add(back);
            form = form with { IsShaped = true, IsLiteral = back.Attributes.GetValueOrDefault("allowzero") is 1L };
        }

        var activation = graph.Reader(nodes[^1].Outputs[0]) is { } next ? Activations.Of(next) : Activation.None;
        if (activation != Activation.None) nodes.Add(graph.Reader(nodes[^1].Outputs[0])!);
        if (Sum(graph, nodes[^1].Outputs[0]) is var (gate, sum, values, factors))
        {
            inputs.Add(values);
            if (gate is not null) nodes.Add(gate);
            if (factors is not null) inputs.Add(factors);
            nodes.Add(sum);
            form = new LinearForm { HasResidual = true, HasGate = gate is not null };
        }

        if (form.IsShaped) inputs.Add(shape!);
        var matrix = graph.Packed(node.Inputs[1], weight, transposed);
        CpuKernel kernel = new LinearKernel(new(matrix), bias, activation, form);
        if (!form.HasResidual && Split(graph, nodes[^1].Outputs[0]) is var (split, sizes))
        {
            nodes.Add(split);
            var starts = sizes.Select((_, part) => sizes.Take(part).Sum()).ToArray();
            kernel = new LinearGroupKernel([.. sizes.Select((size, part) => new LinearKernel(new(matrix, starts[part], size), bias, activation, form))]);
            if (form.IsShaped) inputs.AddRange(Enumerable.Repeat(shape!, sizes.Length - 1));
        }

        graph.Replace(kernel, inputs, [.. nodes]);
    }

    // A sum with values of the same shape, perhaps after a product with factors that whole rows share.
    private static (GraphNode? Gate, GraphNode Sum, string Values, string? Factors)? Sum(RewrittenGraph graph, string y)
    {
        var (gate, factors, addend) = ((GraphNode?)null, (string?)null, y);
        if (graph.Reader(y) is { Operator: "Mul", Domain: "" } product && RewrittenGraph.Other(product, y) is { } other)
        {
            if (graph.RowsFor(other, y) is not { } from || !graph.HaveOneShape(y, product.Outputs[0])) return null;
            (gate, factors, addend) = (product, from, product.Outputs[0]);
        }

        return graph.Reader(addend) is { Operator: "Add", Domain: "" } sum && RewrittenGraph.Other(sum, addend) is { } values && graph.HaveOneShape(addend, values) ? (gate, sum, values, factors) : null;
    }
    // Whole panels of the last dimension, cut apart.
    private static (GraphNode Split, int[] Sizes)? Split(RewrittenGraph graph, string y)
    {
        if (graph.Reader(y) is not { Operator: "Split", Domain: "", Inputs: [_, var given] } split || graph.FloatShape(y) is not { } shape) return null;
        if (split.Attributes.GetValueOrDefault("axis") is not long axis || (axis < 0 ? axis + shape.Count : axis) != shape.Count - 1) return null;
        if (graph.Constant(given) is not { Type: ElementType.Int64 } constant || constant.Count != split.Outputs.Count || constant.Span<long>().ToArray() is not { } sizes || sizes.Sum() != shape[^1].Size) return null;
        return sizes.SkipLast(1).All(size => size % Tile.Columns == 0) && sizes.All(size => size > 0) && split.Outputs.All(output => output != "") ? (split, Array.ConvertAll(sizes, size => (int)size)) : null;
    }
}
