using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>
/// A place in a checkpoint's tree of names, from which layers take their weights: <c>model["blocks"][3]["attn"]</c>. Paths are the published names, so that most papers need no key map.
/// </summary>
public sealed class Scope
{
    private readonly WeightRequests _requests;

    internal Scope(Graph graph, ITensorSource source, WeightRequests requests, string path)
    {
        Graph = graph;
        Source = source;
        _requests = requests;
        Path = path;
    }

    /// <summary>The root of a checkpoint. Call <see cref="WeightRequests.ThrowIfAny"/> when the graph is built.</summary>
    public static Scope Root(Graph graph, ITensorSource source, WeightRequests requests) => new(graph, source, requests, "");

    /// <summary>The graph under construction.</summary>
    public Graph Graph { get; }

    /// <summary>Where the weights come from.</summary>
    public ITensorSource Source { get; }

    /// <summary>Published prefix of the weights here.</summary>
    public string Path { get; }

    /// <summary>The scope of that name within this one; dots separate levels.</summary>
    public Scope this[string name] => new(Graph, Source, _requests, Path.Length == 0 ? name : $"{Path}.{name}");

    /// <summary>The scope of that number within this one.</summary>
    public Scope this[int index] => this[index.ToString()];

    /// <summary>True when nothing is read and shapes alone are written down: weights have no elements then.</summary>
    public bool IsInventory => _requests.IsInventory;

    /// <summary>True when the checkpoint has a tensor of that name here; for optional weights such as biases.</summary>
    public bool Has(string name) => _requests.IsInventory || _requests.Names(Source).Contains(Full(name));

    /// <summary>True when the checkpoint has any tensor whose name starts here.</summary>
    public bool Exists => _requests.IsInventory || _requests.Names(Source).Any(name => name.StartsWith(Path + ".", StringComparison.Ordinal));

    /// <summary>A weight of that published name and shape, as float32.</summary>
    public Value Weight(string name, params ReadOnlySpan<long> shape) => Graph.Weight(Full(name), Data(name, shape), Path);

    /// <summary>The elements of a weight, as float32, for layers that transform it once with <see cref="Derive"/>.</summary>
    public WeightData Data(string name, params ReadOnlySpan<long> shape)
    {
        var data = Stored(name, shape);
        return data.Type == ElementType.Float32 ? data : Source.Derive($"{Full(name)}:float32", () => WeightConversion.ToFloat32(data));
    }

    /// <summary>The elements of a weight in the type in which they are stored: for tables of which a run reads few rows.</summary>
    public WeightData Stored(string name, params ReadOnlySpan<long> shape)
    {
        var full = Full(name);
        if (_requests.IsInventory) return _requests.Record(full, shape);
        var data = Source.Find(full);
        if (data is null) return _requests.Missing(full, shape);
        _requests.Note(data);
        return data.Shape.SequenceEqual(shape) ? data : _requests.Misshaped(full, shape, data.Shape);
    }

    /// <summary>The shape of a stored weight; for architectures whose published configuration leaves one open.</summary>
    /// <exception cref="CheckpointException">There is no such tensor.</exception>
    public IReadOnlyList<long> ShapeOf(string name) => _requests.Find(Source, Full(name))?.Shape
        ?? throw new CheckpointException(ErrorCodes.CheckpointTensorMissing, "The checkpoint lacks a tensor.") { Where = $"{Source.Origin}: {Full(name)}" };

    /// <summary>A weight computed from others once (folded, transposed, reordered) and shared by every graph of this checkpoint.</summary>
    /// <param name="name">What is derived, for the key: weights with equal names are made once.</param>
    /// <param name="shape">Shape of the result.</param>
    /// <param name="fill">Writes the elements.</param>
    public Value Derive(string name, ReadOnlySpan<long> shape, SpanAction<float> fill)
    {
        var full = Full(name);
        if (_requests.IsInventory || _requests.HasProblems) return Graph.Weight(full, WeightRequests.Meta(shape), Path);
        var sizes = shape.ToArray();
        return Graph.Weight(full, Source.Derive($"{full}:{string.Join('x', sizes)}", () => WeightData.Create(sizes, fill)), Path);
    }

    /// <summary>Marks a value that parity compares.</summary>
    public Value Stage(string name, Value value) => Graph.Stage(name, value);

    /// <summary>Adds a node named after this place.</summary>
    public Value Node(string op, ReadOnlySpan<Value?> inputs, Shape shape, params ReadOnlySpan<(string Name, object Value)> attributes) =>
        Graph.Node(Path, op, inputs, ElementType.Float32, shape, attributes);

    private string Full(string name) => Path.Length == 0 ? name : $"{Path}.{name}";
}
