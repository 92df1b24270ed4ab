using System.Security.Cryptography;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>
/// Builds an ONNX graph. Shapes are checked while building: a mismatch is an error that names the node's path and both shapes. Not synchronised: a graph is built by one thread.
/// </summary>
public sealed class Graph
{
    private readonly GraphDefinition _definition;
    private readonly Dictionary<string, Value> _constants = [];
    private readonly Dictionary<string, Value> _extents = [];
    private readonly Dictionary<string, (Value Input, int Axis)> _symbols = [];
    private readonly Dictionary<string, int> _names = [];
    private readonly Dictionary<nint, (string Name, WeightData Data)> _initializers = [];
    private readonly Dictionary<string, Value> _values = [];
    private readonly Dictionary<string, Shape> _outputShapes = [];
    private readonly bool _stages;

    /// <summary>An empty graph.</summary>
    /// <param name="name">Its name, for messages.</param>
    /// <param name="stages">True when marked stages become outputs.</param>
    /// <param name="device">What it is built for; layers choose operators by it. Null is the processor.</param>
    /// <param name="precision">In what linear maps keep their weights.</param>
    public Graph(string name, bool stages = false, Device? device = null, WeightPrecision precision = WeightPrecision.Float32)
    {
        _definition = new() { Name = name };
        _stages = stages;
        (Device, Precision) = (device ?? Device.Cpu, precision);
    }

    /// <summary>What the graph is built for.</summary>
    public Device Device { get; }

    /// <summary>In what linear maps keep their weights.</summary>
    public WeightPrecision Precision { get; }

    /// <summary>The graph's name.</summary>
    public string Name => _definition.Name;

    /// <summary>An input. Symbols that first appear here are read off its shape at run time.</summary>
    public Value Input(string name, ElementType type, Shape shape)
    {
        var value = Known(new(this, name, type, shape, name));
        _definition.Inputs.Add(_definition.Values[name] = Port(value));
        for (var axis = 0; axis < shape.Rank; axis++)
        {
            if (shape[axis] is { IsKnown: false } dim && dim.Terms.ToArray() is [{ Factor: > 0, Atoms: [{ Name: { } symbol }] }]) _symbols.TryAdd(symbol, (value, axis));
        }

        return value;
    }

    /// <summary>A float input.</summary>
    public Value Input(string name, Shape shape) => Input(name, ElementType.Float32, shape);

    /// <summary>Makes a value an output of that name.</summary>
    public void Output(string name, Value value)
    {
        if (!_outputShapes.TryAdd(name, value.Shape)) throw new GraphException("Two outputs have one name.") { Where = $"{Name}: {name}" };
        _definition.Nodes.Add(new("Identity", "", $"outputs/{name}", [value.Name], [name], Attributes.None));
        _definition.Outputs.Add(new(name, value.Type, [.. value.Shape.Select(Port)]));
    }

    /// <summary>Marks a value that parity compares. It costs nothing unless the graph was made with stages.</summary>
    public Value Stage(string name, Value value)
    {
        if (_stages && !_outputShapes.ContainsKey(name)) Output(name, value);
        return value;
    }

    /// <summary>Adds a node with one output.</summary>
    /// <param name="path">Path of the layer it belongs to.</param>
    /// <param name="op">Operator; <c>com.microsoft:Name</c> for ONNX Runtime's own.</param>
    /// <param name="inputs">Inputs; null leaves an optional one out.</param>
    /// <param name="type">Type of the output.</param>
    /// <param name="shape">Shape of the output.</param>
    /// <param name="attributes">Attributes by name: long, float, string, long[], float[], string[].</param>
    public Value Node(string path, string op, ReadOnlySpan<Value?> inputs, ElementType type, Shape shape, params ReadOnlySpan<(string Name, object Value)> attributes) =>
        Nodes(path, op, inputs, [(type, shape)], attributes)[0];

    /// <summary>Adds a node with several outputs.</summary>
    public Value[] Nodes(string path, string op, ReadOnlySpan<Value?> inputs, ReadOnlySpan<(ElementType Type, Shape Shape)> outputs, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        var (domain, kind) = op.IndexOf(':') is > 0 and var colon ? (op[..colon], op[(colon + 1)..]) : ("", op);
        var name = Unique($"{path}/{kind}");
        // Kernels count their inputs: optional ones at the end are left out, not named empty.
        while (inputs.Length > 0 && inputs[^1] is null) inputs = inputs[..^1];
        var names = new string[inputs.Length];
        for (var i = 0; i < inputs.Length; i++) names[i] = inputs[i]?.Name ?? "";
        var values = new Value[outputs.Length];
        for (var i = 0; i < values.Length; i++) values[i] = Known(new(this, values.Length == 1 ? name : $"{name}:{i}", outputs[i].Type, outputs[i].Shape, path));
        _definition.Nodes.Add(new(kind, domain, name, names, [.. values.Select(value => value.Name)], Attributes.Of(attributes)));
        foreach (var value in values) _definition.Values[value.Name] = Port(value);
        return values;
    }

    /// <summary>A weight: the session reads it in place.</summary>
    /// <param name="name">Its published name.</param>
    /// <param name="data">Its elements.</param>
    /// <param name="path">Path of the layer that uses it.</param>
    public Value Weight(string name, WeightData data, string path)
    {
        // The same memory under the same shape is one initializer, however often it is asked for.
        if (_initializers.TryGetValue(data.Address, out var known) && known.Data.Type == data.Type && known.Data.Shape.SequenceEqual(data.Shape) && data.Address != 0)
            return new(this, known.Name, data.Type, Shape.Of(data.Shape), path);
        var unique = Unique(name);
        _definition.Initializers.Add(new(unique, data));
        _initializers[data.Address] = (unique, data);
        return Known(new(this, unique, data.Type, Shape.Of(data.Shape), path));
    }

    /// <summary>A constant tensor; equal ones are shared.</summary>
    public Value Constant<T>(ReadOnlySpan<T> values, params ReadOnlySpan<long> shape) where T : unmanaged
    {
        var data = WeightData.Copy(values, shape);
        var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(values);
        var key = $"{data}:{(bytes.Length <= 32 ? Convert.ToHexString(bytes) : Convert.ToHexString(SHA256.HashData(bytes)))}";
        if (_constants.TryGetValue(key, out var constant)) return constant;
        var name = Unique(bytes.Length <= 8 && values.Length == 1 ? $"constant/{values[0]}" : "constant");
        _definition.Initializers.Add(new(name, data));
        return _constants[key] = Known(new(this, name, data.Type, Shape.Of(shape), "constant"));
    }

    /// <summary>A constant tensor from managed memory.</summary>
    public Value Constant<T>(Tensor<T> tensor) where T : unmanaged => Constant<T>(tensor.Span, tensor.Shape);

    /// <summary>A number of that type, without dimensions.</summary>
    /// <exception cref="GraphException">The type does not hold the number: a fraction among whole numbers.</exception>
    public Value Scalar(ElementType type, double value) => type switch
    {
        ElementType.Int64 or ElementType.Int32 when value != Math.Truncate(value) => throw new GraphException("A fraction is no whole number; cast the tensor to float first.") { Where = Name, Expected = type.ToString(), Found = value.ToString() },
        ElementType.Float32 => Constant([(float)value]),
        ElementType.Float64 => Constant([value]),
        ElementType.Float16 => Constant([(Half)value]),
        ElementType.Int64 => Constant([checked((long)value)]),
        ElementType.Int32 => Constant([checked((int)value)]),
        ElementType.Bool => Constant([value != 0]),
        _ => throw new GraphException($"No constants of type {type}.") { Where = Name },
    };

    /// <summary>An extent as a value of one int64: a constant when it is known, else computed from the inputs' shapes.</summary>
    public Value Extent(Dim dim)
    {
        if (dim.IsKnown) return Constant([dim.Size], 1);
        var key = dim.ToString();
        if (_extents.TryGetValue(key, out var known)) return known;
        var sum = dim.Constant == 0 ? null : Constant([dim.Constant], 1);
        foreach (var (atoms, factor) in dim.Terms)
        {
            var product = factor == 1 ? null : Constant([factor], 1);
            foreach (var atom in atoms) product = product is null ? AtomExtent(atom) : product * AtomExtent(atom);
            sum = sum is null ? product : sum + product!;
        }

        return _extents[key] = sum!;
    }

    /// <summary>A shape as a value of int64.</summary>
    public Value Extents(params ReadOnlySpan<Dim> dims)
    {
        var known = true;
        foreach (var dim in dims) known &= dim.IsKnown;
        if (known)
        {
            var sizes = new long[dims.Length];
            for (var i = 0; i < sizes.Length; i++) sizes[i] = dims[i].Size;
            return Constant<long>(sizes, sizes.Length);
        }

        var parts = new Value[dims.Length];
        for (var i = 0; i < parts.Length; i++) parts[i] = Extent(dims[i]);
        return parts.Length == 1 ? parts[0] : Node("extents", "Concat", parts, ElementType.Int64, [parts.Length], ("axis", 0L));
    }

    /// <summary>The finished graph, without weights that no node reads.</summary>
    public GraphDefinition Finish()
    {
        var read = _definition.Nodes.SelectMany(node => node.Inputs).ToHashSet();
        _definition.Initializers.RemoveAll(initializer => !read.Contains(initializer.Name));
        return _definition;
    }

    /// <summary>What the graph says of the shapes of its outputs, to be held against those of a run.</summary>
    internal ShapeLaws Laws => new(Name, _symbols.ToDictionary(pair => pair.Key, pair => (pair.Value.Input.Name, pair.Value.Axis, pair.Value.Input.Shape[pair.Value.Axis])), _outputShapes);

    /// <summary>The cache that the graph declares; null when there is none.</summary>
    internal KeyValueCache? Cache { get; set; }

    /// <summary>The nodes so far, each after those that it reads.</summary>
    internal IReadOnlyList<GraphNode> NodesSoFar => _definition.Nodes;

    /// <summary>A value by its name; null for an input that is left out.</summary>
    internal Value? Find(string name) => _values.GetValueOrDefault(name);

    /// <summary>The numbers of a constant.</summary>
    internal long[] ConstantOf(string name) => _definition.Initializers.Find(initializer => initializer.Name == name)?.Data.Span<long>().ToArray()
        ?? throw new GraphException("The value is not a constant.") { Where = $"{Name}: {name}" };

    /// <summary>The elements behind a value; null when it is computed.</summary>
    internal WeightData? WeightOf(Value value) => _definition.Initializers.Find(initializer => initializer.Name == value.Name)?.Data;

    internal Value Elementwise(string op, Value a, Value b, ElementType? result = null)
    {
        if (a.Type != b.Type) throw new GraphException($"{op} takes two tensors of one type.") { Where = a.Path, Expected = a.ToString(), Found = b.ToString() };
        var shape = Shape.Broadcast(a.Shape, b.Shape) ?? throw new GraphException($"{op} takes tensors whose shapes fit.") { Where = a.Path, Expected = a.ToString(), Found = b.ToString() };
        return Node(a.Path == "constant" ? b.Path : a.Path, op, [a, b], result ?? a.Type, shape);
    }

    private Value AtomExtent(Dim.Atom atom)
    {
        var key = atom.ToString();
        if (_extents.TryGetValue(key, out var known)) return known;
        if (atom.Name is null) return _extents[key] = Extent(atom.Inner).FloorDivide(atom.Divisor);
        if (!_symbols.TryGetValue(atom.Name, out var source)) throw new GraphException($"No input has the symbolic extent '{atom.Name}'.") { Where = Name };
        var extent = Node("extents", "Shape", [source.Input], ElementType.Int64, [1], ("start", (long)source.Axis), ("end", source.Axis + 1L));
        var (factor, offset) = source.Input.Shape[source.Axis].Linear;
        if (offset != 0) extent -= offset;
        return _extents[key] = factor == 1 ? extent : extent.FloorDivide(factor);
    }

    private Value Known(Value value) => _values[value.Name] = value;

    private static GraphPort Port(Value value) => new(value.Name, value.Type, [.. value.Shape.Select(Port)]);

    private static GraphDimension Port(Dim dim) => dim.IsKnown ? new(dim.Size) : new(-1, dim.ToString());

    private string Unique(string name)
    {
        var count = _names.GetValueOrDefault(name);
        _names[name] = count + 1;
        return count == 0 ? name : $"{name}_{count}";
    }
}
