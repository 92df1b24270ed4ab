using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference.Kernels;

/// <summary>A graph whose nodes are being replaced: who writes and reads each value, and what is constant.</summary>
internal sealed class RewrittenGraph
{
    // ONNX's numbers of these types.
    private const long Float16 = 10, BFloat16 = 16;

    private readonly GraphDefinition _graph;
    private readonly Dictionary<string, WeightData> _weights;
    private readonly Dictionary<string, GraphNode> _writers = [];
    private readonly Dictionary<string, List<GraphNode>> _readers = [];
    private readonly HashSet<string> _outputs;
    private readonly Dictionary<GraphNode, GraphNode?> _replaced = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<(string, bool), PackedMatrix> _matrices = [];

    /// <summary>Memory that kernels work in, a block for each thread, shared by those of a session.</summary>
    public ScratchPool Scratch { get; } = new();

    /// <summary>Memory for inputs in another order, a block for each run.</summary>
    public ScratchPool Inputs { get; } = new();

    public RewrittenGraph(GraphDefinition graph)
    {
        _graph = graph;
        _weights = graph.Initializers.ToDictionary(initializer => initializer.Name, initializer => initializer.Data);
        _outputs = [.. graph.Outputs.Select(port => port.Name)];
        HasHalves = graph.Inputs.Any(port => IsHalf(port.Type)) || graph.Initializers.Any(initializer => IsHalf(initializer.Data.Type)) || graph.Nodes.Any(node => node.Attributes.GetValueOrDefault("to") is Float16 or BFloat16);
        foreach (var node in graph.Nodes)
        {
            foreach (var output in node.Outputs) _writers[output] = node;
            foreach (var input in node.Inputs.Distinct())
            {
                if (!_readers.TryGetValue(input, out var readers)) _readers[input] = readers = [];
                readers.Add(node);
            }
        }
    }

    /// <summary>Whether a value may be of half precision. Nodes do not say of what type they are; a value of that type comes from an input, a constant or a cast.</summary>
    public bool HasHalves { get; }

    /// <summary>Whether a node of the graph was not replaced yet.</summary>
    public bool Has(GraphNode node) => !_replaced.ContainsKey(node);

    /// <summary>The constant of 32-bit floats that an input is; null when it is another, or computed, or not given.</summary>
    public WeightData? Weight(GraphNode node, int input) => Named(node, input) is { } name && _weights.TryGetValue(name, out var weight) && weight.Type == ElementType.Float32 ? weight : null;

    /// <summary>The constant of that name; null when there is none.</summary>
    public WeightData? Constant(string name) => _weights.GetValueOrDefault(name);

    /// <summary>Whether a value is that one number.</summary>
    public bool IsNumber(string name, float number) => Constant(name) is { Count: 1 } constant && constant.Type switch
    {
        ElementType.Float32 => constant.Span<float>()[0] == number,
        ElementType.Int64 => constant.Span<long>()[0] == number,
        _ => false,
    };

    /// <summary>The shape of a value or constant of 32-bit floats; null when it is of another type, or not known.</summary>
    public IReadOnlyList<GraphDimension>? FloatShape(string name)
    {
        if (_graph.Values.TryGetValue(name, out var value)) return value.Type == ElementType.Float32 ? value.Shape : null;
        return Constant(name) is { Type: ElementType.Float32 } constant ? Array.ConvertAll(constant.Shape.ToArray(), size => new GraphDimension(size)) : null;
    }

    /// <summary>Whether two values are 32-bit floats of one shape.</summary>
    public bool HaveOneShape(string a, string b) => FloatShape(a) is { } left && FloatShape(b) is { } right && left.SequenceEqual(right);

    /// <summary>
    /// Where a value that is broadcast along whole rows of <paramref name="like"/> (.., D) is to be read: its numbers are one row of D for each run of equally many rows, as those of (B, 1, D) beside (B, N, D), or (D). Null when it is of another shape.
    /// </summary>
    public string? RowsFor(string value, string like)
    {
        if (FloatShape(value) is not { Count: > 0 } own || FloatShape(like) is not { } whole || own.Count > whole.Count || own[^1].Size <= 0 || own[^1] != whole[^1]) return null;
        var before = Enumerable.Repeat<GraphDimension>(1, whole.Count - own.Count).Concat(own).ToArray();
        var shared = 0;
        while (shared < before.Length - 1 && before[shared] == whole[shared]) shared++;
        if (before[shared..^1].Any(extent => extent != 1)) return null;
        return Writer(value) is { Operator: "Unsqueeze", Domain: "" } widened ? widened.Inputs[0] : value;
    }

    /// <summary>The other operand of a node that takes <paramref name="value"/> and one more, in any order; null when both are the same.</summary>
    public static string? Other(GraphNode node, string value) => node.Inputs is [var first, var second] && first != second ? (first == value ? second : second == value ? first : null) : null;

    /// <summary>The name of an input; null when it is not given.</summary>
    public static string? Named(GraphNode node, int input) => node.Inputs.Count > input && node.Inputs[input] != "" ? node.Inputs[input] : null;

    /// <summary>The node of the graph that computes a value; null for constants, inputs, and values of nodes that were replaced.</summary>
    public GraphNode? Writer(string value) => _writers.TryGetValue(value, out var node) && Has(node) ? node : null;

    /// <summary>The one node that reads a value which is no output of the graph, if it was not replaced; else null.</summary>
    public GraphNode? Reader(string value) => !_outputs.Contains(value) && _readers.TryGetValue(value, out var readers) && readers is [var only] && Has(only) ? only : null;

    /// <summary>Whether nobody reads a value.</summary>
    public bool IsUnread(string value) => !_outputs.Contains(value) && !_readers.ContainsKey(value);

    /// <summary>A constant matrix in the order in which products read it, shared by all nodes that multiply by it.</summary>
    public PackedMatrix Packed(string name, WeightData weight, bool transposed)
    {
        if (!_matrices.TryGetValue((name, transposed), out var matrix)) _matrices[(name, transposed)] = matrix = new(weight, transposed);
        return matrix;
    }

    /// <summary>Puts a kernel in the place of nodes; the first outputs of the last of them are the kernel's.</summary>
    /// <param name="kernel">What computes it.</param>
    /// <param name="inputs">What it is given.</param>
    /// <param name="nodes">What it replaces, in the graph's order. Only those outputs are read from elsewhere.</param>
    public void Replace(CpuKernel kernel, IReadOnlyList<string> inputs, params ReadOnlySpan<GraphNode> nodes)
    {
        foreach (var node in nodes) _replaced[node] = null;
        _replaced[nodes[^1]] = new(kernel.Operator, CustomOperators.Domain, nodes[0].Name, inputs, [.. nodes[^1].Outputs.Take(kernel.OutputCount)], new Dictionary<string, object> { [CustomOperators.KernelAttribute] = kernel });
    }

    /// <summary>The graph as it is now, without what nobody reads any more.</summary>
    public GraphDefinition Finish()
    {
        var used = new HashSet<string>(_outputs);
        var nodes = new List<GraphNode>();
        foreach (var node in _graph.Nodes.Select(node => _replaced.GetValueOrDefault(node, node)).OfType<GraphNode>().Reverse())
        {
            if (!node.Outputs.Any(used.Contains)) continue;
            used.UnionWith(node.Inputs);
            nodes.Add(node);
        }

        nodes.Reverse();
        LinearGroups.Merge(nodes, _weights.ContainsKey);
        var finished = new GraphDefinition { Name = _graph.Name };
        finished.Inputs.AddRange(_graph.Inputs);
        finished.Outputs.AddRange(_graph.Outputs);
        finished.Initializers.AddRange(_graph.Initializers.Where(initializer => used.Contains(initializer.Name)));
        finished.Nodes.AddRange(nodes);
        return finished;
    }

    private static bool IsHalf(ElementType type) => type is ElementType.Float16 or ElementType.BFloat16;
}
