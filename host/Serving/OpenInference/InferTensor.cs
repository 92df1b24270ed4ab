using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Serving.OpenInference;

/// <summary>A tensor of the Open Inference Protocol in its raw form: little-endian elements in row-major order; texts (<c>BYTES</c>) as a 4-byte length and the bytes of each.</summary>
/// <param name="Name">Name of the input or output.</param>
/// <param name="Datatype">The protocol's name of the element type.</param>
/// <param name="Shape">Extents.</param>
/// <param name="Data">The raw elements.</param>
internal sealed record InferTensor(string Name, string Datatype, long[] Shape, ReadOnlyMemory<byte> Data)
{
    /// <summary>Parameters of the tensor.</summary>
    public JsonObject Parameters { get; init; } = [];

    private static readonly (string Name, ElementType Type)[] Types =
    [
        ("BOOL", ElementType.Bool), ("UINT8", ElementType.UInt8), ("UINT16", ElementType.UInt16), ("UINT32", ElementType.UInt32), ("UINT64", ElementType.UInt64), ("INT8", ElementType.Int8), ("INT16", ElementType.Int16),
        ("INT32", ElementType.Int32), ("INT64", ElementType.Int64), ("FP16", ElementType.Float16), ("FP32", ElementType.Float32), ("FP64", ElementType.Float64),
    ];

    /// <summary>The element type of a datatype; null for texts.</summary>
    /// <exception cref="ModelZooException">There is no such datatype.</exception>
    public static ElementType? TypeOf(string datatype) => datatype == "BYTES" ? null
        : Types.FirstOrDefault(row => row.Name == datatype) is { Name: not null } found ? found.Type
        : throw new ModelZooException(ErrorCodes.TensorType, "There is no such datatype.") { Expected = string.Join(", ", Types.Select(row => row.Name).Append("BYTES")), Found = datatype };

    /// <summary>The protocol's name of an element type.</summary>
    public static string NameOf(ElementType type) => Types.FirstOrDefault(row => row.Type == type).Name ?? throw new ModelZooException(ErrorCodes.TensorType, $"The protocol has no {type}.");

    /// <summary>A tensor of numbers.</summary>
    public static InferTensor Of(string name, Tensor tensor) => new(name, NameOf(tensor.Type), tensor.Shape.ToArray(), tensor.Bytes.ToArray());

    /// <summary>A tensor of texts.</summary>
    public static InferTensor Of(string name, params IReadOnlyList<string> texts)
    {
        using var data = new MemoryStream();
        Span<byte> length = stackalloc byte[4];
        foreach (var bytes in texts.Select(Encoding.UTF8.GetBytes))
        {
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            data.Write(length);
            data.Write(bytes);
        }

        return new(name, "BYTES", [texts.Count], data.ToArray());
    }

    /// <summary>The elements as a tensor.</summary>
    /// <exception cref="ModelZooException">There are too many or too few of them, or they are texts.</exception>
    public Tensor ToTensor() => TypeOf(Datatype) switch
    {
        ElementType.Float32 => Numbers<float>(),
        ElementType.Float64 => Numbers<double>(),
        ElementType.Float16 => Numbers<Half>(),
        ElementType.Int8 => Numbers<sbyte>(),
        ElementType.UInt8 => Numbers<byte>(),
        ElementType.Int16 => Numbers<short>(),
        ElementType.UInt16 => Numbers<ushort>(),
        ElementType.Int32 => Numbers<int>(),
        ElementType.UInt32 => Numbers<uint>(),
        ElementType.Int64 => Numbers<long>(),
        ElementType.UInt64 => Numbers<ulong>(),
        ElementType.Bool => Numbers<bool>(),
        _ => throw new ModelZooException(ErrorCodes.TensorType, "This input holds numbers.") { Where = Name, Found = Datatype },
    };

    /// <summary>The elements as texts.</summary>
    /// <exception cref="ModelZooException">They are numbers, or their lengths do not fit.</exception>
    public IReadOnlyList<string> ToTexts()
    {
        if (Datatype != "BYTES") throw new ModelZooException(ErrorCodes.TensorType, "This input holds texts.") { Where = Name, Expected = "BYTES", Found = Datatype };
        var texts = new List<string>();
        var rest = Data.Span;
        while (rest.Length > 0)
        {
            if (rest.Length < 4 || BinaryPrimitives.ReadUInt32LittleEndian(rest) is var length && length > rest.Length - 4) throw Misfit("texts, each after its length in 4 bytes", $"{rest.Length} bytes more");
            texts.Add(Encoding.UTF8.GetString(rest.Slice(4, (int)length)));
            rest = rest[(4 + (int)length)..];
        }

        return texts.Count == Count() ? texts : throw Misfit($"{Count()} texts", $"{texts.Count}");
    }

    private Tensor<T> Numbers<T>() where T : unmanaged
    {
        var bytes = checked(Count() * System.Runtime.CompilerServices.Unsafe.SizeOf<T>());
        if (bytes != Data.Length) throw Misfit($"{bytes} bytes", $"{Data.Length}");
        return Tensor.Create(MemoryMarshal.Cast<byte, T>(Data.Span).ToArray(), Shape);
    }

    private long Count()
    {
        try
        {
            return Tensor.Count(Shape);
        }
        catch (Exception error) when (error is OverflowException or ArgumentOutOfRangeException)
        {
            throw Misfit("extents that multiply to something", string.Join(" x ", Shape));
        }
    }

    private ModelZooException Misfit(string expected, string found) => new(ErrorCodes.TensorType, "The data does not fit to the shape.") { Where = $"{Name}: {Datatype}[{string.Join(", ", Shape)}]", Expected = expected, Found = found };
}

/// <summary>A request of the protocol.</summary>
/// <param name="Id">The client's name for it; comes back.</param>
/// <param name="Parameters">Parameters: <c>verb</c> or <c>call</c>, <c>seed</c>, and the model's options.</param>
/// <param name="Inputs">The tensors.</param>
/// <param name="Outputs">Names of the wanted outputs; empty for all.</param>
internal sealed record InferRequest(string? Id, JsonObject Parameters, IReadOnlyList<InferTensor> Inputs, IReadOnlyList<string> Outputs);

/// <summary>What a tensor of a model looks like.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Datatype">The protocol's name of the element type.</param>
/// <param name="Shape">Extents; -1 where a request decides.</param>
internal sealed record TensorDescription(string Name, string Datatype, params long[] Shape);

/// <summary>What a model takes and gives, all verbs together.</summary>
internal sealed record ModelDescription(string Name, string Platform, IReadOnlyList<TensorDescription> Inputs, IReadOnlyList<TensorDescription> Outputs, IReadOnlyDictionary<string, string> Properties);
