using ModelZoo.Inference.Native;

namespace ModelZoo.Inference.Kernels;

/// <summary>Linear maps that read the same value, as the queries, keys and values of attention, become one node: threads begin and end once for all of them.</summary>
internal static class LinearGroups
{
    // Maps further apart stay alone, so that no result waits long in memory for who reads it.
    private const int Reach = 12;

    /// <summary>Merges nodes of a finished graph, each into the first that reads the same; they are in an order in which each uses only what came before.</summary>
    public static void Merge(List<GraphNode> nodes, Func<string, bool> isConstant)
    {
        for (var first = 0; first < nodes.Count; first++)
        {
            if (Map(nodes[first]) is null) continue;
            var group = new List<GraphNode> { nodes[first] };
            for (var other = first + 1; other < Math.Min(first + 1 + Reach, nodes.Count);)
            {
                var node = nodes[other];
                if (Map(node) is null || node.Inputs[0] != nodes[first].Inputs[0] || !node.Inputs.Skip(1).All(input => isConstant(input) || nodes[first].Inputs.Contains(input)))
                {
                    other++;
                    continue;
                }

                group.Add(node);
                nodes.RemoveAt(other);
            }

            if (group.Count > 1) nodes[first] = Merged(group);
        }
    }

    private static LinearKernel? Map(GraphNode node) => node.Attributes.GetValueOrDefault(CustomOperators.KernelAttribute) is LinearKernel { Form.HasResidual: false } map ? map : null;

    private static GraphNode Merged(List<GraphNode> group)
    {
        var kernel = new LinearGroupKernel([.. group.Select(node => Map(node)!)]);
        return group[0] with
        {
            Inputs = [group[0].Inputs[0], .. group.SelectMany(node => node.Inputs.Skip(1))], Outputs = [.. group.SelectMany(node => node.Outputs)],
            Attributes = new Dictionary<string, object> { [CustomOperators.KernelAttribute] = kernel },
        };
    }
}
