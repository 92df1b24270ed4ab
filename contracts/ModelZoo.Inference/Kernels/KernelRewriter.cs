using System.Runtime.Intrinsics;
using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference.Kernels;

/// <summary>
/// Puts our own operators into a graph where they are faster than the engine's: on a processor with 512-bit vectors, for 32-bit floats. An exported graph has none of them.
/// </summary>
internal sealed class KernelRewriter
{
    private readonly GraphDefinition _graph;
    private readonly Dictionary<string, WeightData> _weights;
    private readonly Dictionary<string, List<GraphNode>> _readers = [];
    private readonly HashSet<string> _outputs;
    private readonly Dictionary<GraphNode, GraphNode?> _replaced = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<(string, bool), PackedMatrix> _matrices = [];

    private KernelRewriter(GraphDefinition graph)
    {
        _graph = graph;
        _weights = graph.Initializers.ToDictionary(initializer => initializer.Name, initializer => initializer.Data);
        _outputs = [.. graph.Outputs.Select(port => port.Name)];
        foreach (var node in graph.Nodes)
        {
            foreach (var input in node.Inputs.Distinct())
            {
                if (!_readers.TryGetValue(input, out var readers)) _readers[input] = readers = [];
                readers.Add(node);
            }
        }
    }

    /// <summary>Whether sessions with these options on this device get our operators.</summary>
    public static bool Applies(Device device, SessionOptions options) => device.Kind == DeviceKind.Cpu && options is { Prepack: true, Optimization: GraphOptimization.All } && Vector512.IsHardwareAccelerated;

    /// <summary>The graph with our operators; weights that only these use are theirs.</summary>
    public static GraphDefinition Rewrite(GraphDefinition graph) => new KernelRewriter(graph).Rewritten();

    private GraphDefinition Rewritten()
    {
        var attention = new AttentionRule(_graph);
        foreach (var node in _graph.Nodes)
        {
            if (attention.Kernel(node) is { } kernel) _replaced[node] = Node(node, kernel, [.. node.Inputs.Where(input => input != "")]);
            if (node is { Operator: "Gemm", Domain: "" }) Linear(node);
        }

        var nodes = _graph.Nodes.Select(node => _replaced.GetValueOrDefault(node, node)).OfType<GraphNode>().ToList();
        var used = nodes.SelectMany(node => node.Inputs).Concat(_outputs).ToHashSet();
        var rewritten = new GraphDefinition { Name = _graph.Name };
        rewritten.Inputs.AddRange(_graph.Inputs);
        rewritten.Outputs.AddRange(_graph.Outputs);
        rewritten.Initializers.AddRange(_graph.Initializers.Where(initializer => used.Contains(initializer.Name)));
        rewritten.Nodes.AddRange(nodes);
        return rewritten;
    }

    private void Linear(GraphNode node)
    {
        var transposed = node.Attributes.GetValueOrDefault("transB") is not 1L;
        if (!_weights.TryGetValue(node.Inputs[1], out var weight) || weight.Type != ElementType.Float32 || node.Attributes.Keys.Any(key => key != "transB")) return;
        WeightData? bias = null;
        if (node.Inputs.Count > 2 && node.Inputs[2] != "" && (!_weights.TryGetValue(node.Inputs[2], out bias) || bias.Count != weight.Shape[transposed ? 1 : 0])) return;
        if (!_matrices.TryGetValue((node.Inputs[1], transposed), out var matrix)) _matrices[(node.Inputs[1], transposed)] = matrix = new(weight, transposed);
        _replaced[node] = Node(node, new LinearKernel(matrix, bias, Activation.None), [node.Inputs[0]]);
    }

    private static GraphNode Node(GraphNode old, CpuKernel kernel, IReadOnlyList<string> inputs) =>
        new(kernel.Operator, CustomOperators.Domain, old.Name, inputs, old.Outputs, new Dictionary<string, object> { [CustomOperators.KernelAttribute] = kernel });
}
