using ModelZoo.Contracts;

namespace ModelZoo.Inference.Kernels;

/// <summary>Which nodes of a graph an <see cref="AttentionKernel"/> computes.</summary>
internal sealed class AttentionRule(GraphDefinition graph)
{
    private const long Float16 = 10, BFloat16 = 16;

    // The engine's operator takes half precision too, which nodes do not say. A value of it comes from somewhere.
    private readonly bool _halves = graph.Inputs.Any(port => IsHalf(port.Type)) || graph.Initializers.Any(initializer => IsHalf(initializer.Data.Type)) || graph.Nodes.Any(node => node.Attributes.GetValueOrDefault("to") is Float16 or BFloat16);

    /// <summary>The kernel of a node, or null when it stays the engine's. The kernel's inputs are the node's, without those that are left out.</summary>
    public CpuKernel? Kernel(GraphNode node)
    {
        if (_halves || node is not { Operator: "MultiHeadAttention", Domain: "com.microsoft", Outputs.Count: 1, Inputs.Count: >= 3 and <= 6 }) return null;
        if (node.Inputs.Take(3).Any(input => input == "") || node.Inputs.Skip(3).Take(2).Any(input => input != "")) return null;
        if (node.Attributes.Keys.Any(name => name is not ("num_heads" or "scale" or "unidirectional"))) return null;
        return new AttentionKernel(checked((int)(long)node.Attributes["num_heads"]), node.Attributes.GetValueOrDefault("scale") is float scale and not 0 ? scale : null, node.Attributes.GetValueOrDefault("unidirectional") is 1L);
    }

    private static bool IsHalf(ElementType type) => type is ElementType.Float16 or ElementType.BFloat16;
}
