using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>An ONNX graph as plain data: what the network builder writes and a session or an .onnx file is made from.</summary>
public sealed class GraphDefinition
{
    /// <summary>The ONNX operator set that every graph here is written for.</summary>
    public const int OpsetVersion = 23;

    /// <summary>Name of the graph, for messages.</summary>
    public required string Name { get; init; }

    /// <summary>What a run is given, in order.</summary>
    public List<GraphPort> Inputs { get; } = [];

    /// <summary>What a run gives back, in order.</summary>
    public List<GraphPort> Outputs { get; } = [];

    /// <summary>Weights and constants.</summary>
    public List<GraphInitializer> Initializers { get; } = [];

    /// <summary>Operators, in an order in which each uses only what came before.</summary>
    public List<GraphNode> Nodes { get; } = [];

    /// <summary>Types and shapes of inputs and of what nodes compute, by name, as far as the graph's writer knows them.</summary>
    public Dictionary<string, GraphPort> Values { get; } = [];
}

/// <summary>An input or output of a graph.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Type of the elements.</param>
/// <param name="Shape">Extents, outermost first.</param>
public sealed record GraphPort(string Name, ElementType Type, IReadOnlyList<GraphDimension> Shape);

/// <summary>One extent: a number, or a symbol that a run decides.</summary>
/// <param name="Size">The extent, or -1 when it is symbolic.</param>
/// <param name="Symbol">Name of the symbolic extent.</param>
public readonly record struct GraphDimension(long Size, string? Symbol = null)
{
    /// <summary>A fixed extent.</summary>
    public static implicit operator GraphDimension(long size) => new(size);

    /// <inheritdoc/>
    public override string ToString() => Symbol ?? Size.ToString();
}

/// <summary>A weight or constant of a graph.</summary>
/// <param name="Name">Name under which nodes use it.</param>
/// <param name="Data">Its elements; the session reads them in place.</param>
public sealed record GraphInitializer(string Name, WeightData Data);

/// <summary>One operator.</summary>
/// <param name="Operator">ONNX operator name.</param>
/// <param name="Domain">Operator domain: empty for ONNX's own, <c>com.microsoft</c> for ONNX Runtime's.</param>
/// <param name="Name">Path of the node, which is the checkpoint's own prefix where there is one.</param>
/// <param name="Inputs">Names of its inputs; an empty name leaves an optional one out.</param>
/// <param name="Outputs">Names of its outputs; an empty name leaves an optional one out.</param>
/// <param name="Attributes">Attributes: long, float, string, long[], float[] or string[].</param>
public sealed record GraphNode(
    string Operator, string Domain, string Name, IReadOnlyList<string> Inputs, IReadOnlyList<string> Outputs, IReadOnlyDictionary<string, object> Attributes);
