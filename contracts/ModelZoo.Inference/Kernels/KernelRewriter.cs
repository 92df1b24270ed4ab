using System.Runtime.Intrinsics;

namespace ModelZoo.Inference.Kernels;

/// <summary>
/// Puts our own operators into a graph where they are faster than the engine's: on a processor with 512-bit vectors, for 32-bit floats. An exported graph has none of them.
/// </summary>
internal static class KernelRewriter
{
    // Each looks at a node that is still there, and replaces it or leaves it.
    private static readonly Action<RewrittenGraph, GraphNode>[] Rules = [LinearRule.Apply, NormRule.Apply, AttentionRule.Apply, ConvolutionRule.Apply, RecurrentRule.Apply];

    /// <summary>Whether this processor has what our operators are written for.</summary>
    public static bool RunsHere => Vector512.IsHardwareAccelerated;

    /// <summary>Whether sessions with these options on this device get our operators.</summary>
    public static bool Applies(Device device, SessionOptions options) => device.Kind == DeviceKind.Cpu && options is { Prepack: true, Optimization: GraphOptimization.All } && RunsHere;

    /// <summary>The graph with our operators; weights that only these use are theirs.</summary>
    public static GraphDefinition Rewrite(GraphDefinition graph)
    {
        var rewritten = new RewrittenGraph(graph);
        foreach (var node in graph.Nodes)
        {
            foreach (var rule in Rules)
            {
                if (rewritten.Has(node)) rule(rewritten, node);
            }
        }

        return rewritten.Finish();
    }
}
