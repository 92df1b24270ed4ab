using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>Names, types and shapes of what a session takes and gives, and the names in native memory.</summary>
internal sealed unsafe class SessionPorts
{
    private readonly Dictionary<string, int> _index;

    private SessionPorts(IReadOnlyList<GraphPort> ports, NativeArena arena)
    {
        Ports = ports;
        _index = ports.Select((port, i) => (port.Name, i)).ToDictionary(p => p.Name, p => p.i);
        Names = arena.Strings([.. ports.Select(p => p.Name)]);
    }

    public IReadOnlyList<GraphPort> Ports { get; }

    /// <summary>The names, zero-terminated, in order.</summary>
    public byte** Names { get; }

    /// <summary>The place of a name.</summary>
    /// <exception cref="ModelZooException">There is none such.</exception>
    public int IndexOf(string name) => _index.TryGetValue(name, out var i) ? i : throw new ModelZooException(ErrorCodes.TensorType, "The network has no such input or output.")
    { Where = name, Expected = string.Join(", ", Ports.Select(p => p.Name)), Found = name };

    /// <summary>The ports of a built graph, as it declares them.</summary>
    public static SessionPorts Of(IReadOnlyList<GraphPort> ports, NativeArena arena) => new(ports, arena);

    public static SessionPorts Inputs(OrtApi api, OrtSession* session, NativeArena arena) =>
        new(Read(api, session, api.SessionGetInputCount, api.SessionGetInputName, api.SessionGetInputTypeInfo), arena);

    public static SessionPorts Outputs(OrtApi api, OrtSession* session, NativeArena arena) =>
        new(Read(api, session, api.SessionGetOutputCount, api.SessionGetOutputName, api.SessionGetOutputTypeInfo), arena);

    /// <summary>Refuses a tensor that does not fit a port.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.TensorType"/>.</exception>
    public static void Check(GraphPort port, ElementType type, ReadOnlySpan<long> shape)
    {
        var fits = type == port.Type && shape.Length == port.Shape.Count;
        for (var i = 0; fits && i < shape.Length; i++) fits = port.Shape[i].Size < 0 || port.Shape[i].Size == shape[i];
        if (!fits)
        {
            throw new ModelZooException(ErrorCodes.TensorType, "A tensor does not fit the network.")
            { Where = port.Name, Expected = $"{port.Type}[{string.Join(", ", port.Shape)}]", Found = $"{type}[{string.Join(", ", shape.ToArray())}]" };
        }
    }

    private static GraphPort[] Read(
        OrtApi api, OrtSession* session,
        delegate* unmanaged<OrtSession*, nuint*, OrtStatus*> count,
        delegate* unmanaged<OrtSession*, nuint, OrtAllocator*, byte**, OrtStatus*> name,
        delegate* unmanaged<OrtSession*, nuint, OrtTypeInfo**, OrtStatus*> type)
    {
        nuint n;
        OrtAllocator* allocator;
        api.Check(count(session, &n));
        api.Check(api.GetDefaultAllocator(&allocator));
        var ports = new GraphPort[(int)n];
        for (nuint i = 0; i < n; i++)
        {
            byte* text;
            OrtTypeInfo* info;
            api.Check(name(session, i, allocator, &text));
            var portName = Utf8.Read(text);
            api.Check(api.AllocatorFree(allocator, text));
            api.Check(type(session, i, &info));
            try
            {
                ports[i] = Port(api, portName, info);
            }
            finally
            {
                api.ReleaseTypeInfo(info);
            }
        }

        return ports;
    }

    private static GraphPort Port(OrtApi api, string name, OrtTypeInfo* info)
    {
        OrtTensorInfo* tensor;
        api.Check(api.CastTypeInfoToTensorInfo(info, &tensor));
        if (tensor is null) throw new ModelZooException(ErrorCodes.TensorType, "Only tensors can be inputs and outputs.") { Where = name };
        var (type, shape) = TensorInfo(api, tensor);
        var symbols = stackalloc byte*[shape.Length];
        api.Check(api.GetSymbolicDimensions(tensor, symbols, (nuint)shape.Length));
        var dimensions = new GraphDimension[shape.Length];
        for (var i = 0; i < shape.Length; i++) dimensions[i] = shape[i] >= 0 ? shape[i] : new GraphDimension(-1, Utf8.Read(symbols[i]) is { Length: > 0 } symbol ? symbol : "?");
        return new(name, type, dimensions);
    }

    /// <summary>Type and shape of a tensor of the engine.</summary>
    public static (ElementType Type, long[] Shape) TensorInfo(OrtApi api, OrtTensorInfo* tensor)
    {
        OnnxType type;
        nuint rank;
        api.Check(api.GetTensorElementType(tensor, &type));
        api.Check(api.GetDimensionsCount(tensor, &rank));
        var shape = new long[(int)rank];
        fixed (long* first = shape) api.Check(api.GetDimensions(tensor, first, rank));
        return (type.ToElement(), shape);
    }
}
