namespace ModelZoo.Inference.Kernels;

/// <summary>
/// LayerNormalization and RMSNormalization over the last dimension, with the modulation of adaptive norms after them: x (1 + scale) + shift, where each sequence has a row of scales and one of shifts.
/// </summary>
internal static class NormRule
{
    public static void Apply(RewrittenGraph graph, GraphNode node)
    {
        if (node is not { Operator: "LayerNormalization" or "RMSNormalization", Domain: "", Outputs.Count: 1 } || node.Attributes.GetValueOrDefault("axis") is not -1L) return;
        if (node.Attributes.Keys.Any(key => key is not ("axis" or "epsilon")) || graph.FloatShape(node.Inputs[0]) is not [.., { Size: > 0 } width]) return;
        if (graph.Weight(node, 1) is not { Shape: [var scales] } || scales != width.Size) return;
        var bias = RewrittenGraph.Named(node, 2);
        if (bias is not null && graph.Weight(node, 2)?.Count != width.Size) return;

        List<string> inputs = [.. node.Inputs.Take(bias is null ? 2 : 3)];
        List<GraphNode> nodes = [node];
        if (Modulation(graph, node) is var (factor, sum, scale, shift))
        {
            inputs.AddRange([scale, shift]);
            nodes.AddRange([factor, sum]);
        }

        var epsilon = node.Attributes.GetValueOrDefault("epsilon") as float? ?? 1e-5f;
        graph.Replace(new NormKernel(epsilon, centered: node.Operator == "LayerNormalization", biased: bias is not null, modulated: nodes.Count > 1), inputs, [.. nodes]);
    }

    private static (GraphNode Factor, GraphNode Sum, string Scale, string Shift)? Modulation(RewrittenGraph graph, GraphNode norm)
    {
        var y = norm.Outputs[0];
        if (graph.Reader(y) is not { Operator: "Mul", Domain: "" } factor || RewrittenGraph.Other(factor, y) is not { } scales) return null;
        if (graph.Reader(factor.Outputs[0]) is not { Operator: "Add", Domain: "" } sum || RewrittenGraph.Other(sum, factor.Outputs[0]) is not { } shifts) return null;
        if (graph.Writer(scales) is not { Operator: "Add", Domain: "", Inputs: [var a, var b] }) return null;
        var scale = graph.IsNumber(b, 1) ? a : graph.IsNumber(a, 1) ? b : null;
        return scale is not null && graph.RowsFor(scale, y) is { } from && graph.RowsFor(shifts, y) is { } to ? (factor, sum, from, to) : null;
    }
}
