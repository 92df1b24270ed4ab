namespace ModelZoo.Inference.Kernels;

/// <summary>MultiHeadAttention of 32-bit floats.</summary>
internal static class AttentionRule
{
    public static void Apply(RewrittenGraph graph, GraphNode node)
    {
        if (graph.HasHalves || node is not { Operator: "MultiHeadAttention", Domain: "com.microsoft", Outputs.Count: 1, Inputs.Count: >= 3 and <= 6 }) return;
        if (node.Inputs.Take(3).Any(input => input == "") || node.Inputs.Skip(3).Take(2).Any(input => input != "")) return;
        if (node.Attributes.Keys.Any(name => name is not ("num_heads" or "scale" or "unidirectional"))) return;
        var kernel = new AttentionKernel(checked((int)(long)node.Attributes["num_heads"]), node.Attributes.GetValueOrDefault("scale") is float scale and not 0 ? scale : null, node.Attributes.GetValueOrDefault("unidirectional") is 1L);
        graph.Replace(kernel, [.. node.Inputs.Where(input => input != "")], node);
    }
}
