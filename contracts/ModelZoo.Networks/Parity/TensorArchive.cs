using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Parity;

/// <summary>Reads small safetensors files as managed tensors: parity cases, tokens, results. Checkpoints are memory-mapped instead.</summary>
public static class TensorArchive
{
    private const long HeaderLimit = 100_000_000;

    private static readonly Dictionary<string, ElementType> Types = new()
    {
        ["F64"] = ElementType.Float64, ["F32"] = ElementType.Float32, ["F16"] = ElementType.Float16, ["I64"] = ElementType.Int64, ["I32"] = ElementType.Int32, ["I16"] = ElementType.Int16,
        ["I8"] = ElementType.Int8, ["U64"] = ElementType.UInt64, ["U32"] = ElementType.UInt32, ["U16"] = ElementType.UInt16, ["U8"] = ElementType.UInt8, ["BOOL"] = ElementType.Bool,
    };

    /// <summary>The tensors of a file by name, in the header's order.</summary>
    /// <exception cref="CheckpointException">The file is missing or breaks the format's rules.</exception>
    public static OrderedDictionary<string, Tensor> Read(string path) => Read(path, out _);

    /// <summary>The tensors of a file by name, and the text that its writer put beside them.</summary>
    /// <exception cref="CheckpointException">The file is missing or breaks the format's rules.</exception>
    public static OrderedDictionary<string, Tensor> Read(string path, out IReadOnlyDictionary<string, string> metadata)
    {
        if (!File.Exists(path)) throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no such tensor file.") { Where = path };
        return Read(File.ReadAllBytes(path), path, out metadata);
    }

    /// <summary>The tensors of a file in memory.</summary>
    /// <exception cref="CheckpointException">It breaks the format's rules.</exception>
    public static OrderedDictionary<string, Tensor> Read(byte[] file, string where) => Read(file, where, out _);

    /// <summary>The tensors of a file in memory, and the text that its writer put beside them.</summary>
    /// <exception cref="CheckpointException">It breaks the format's rules.</exception>
    public static OrderedDictionary<string, Tensor> Read(byte[] file, string where, out IReadOnlyDictionary<string, string> metadata)
    {
        try
        {
            return Parse(file, out metadata);
        }
        catch (Exception error) when (error is JsonException or InvalidDataException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException or OverflowException)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, $"The tensor file cannot be read: {error.Message}", error) { Where = where };
        }
    }

    private static OrderedDictionary<string, Tensor> Parse(byte[] file, out IReadOnlyDictionary<string, string> metadata)
    {
        if (file.Length < 8) throw new InvalidDataException("it is shorter than its header.");
        var headerLength = BinaryPrimitives.ReadInt64LittleEndian(file);
        if (headerLength is < 2 or > HeaderLimit || headerLength > file.Length - 8) throw new InvalidDataException($"its header claims {headerLength} bytes.");
        var data = file.AsMemory(8 + (int)headerLength);
        using var header = JsonDocument.Parse(Encoding.UTF8.GetString(file, 8, (int)headerLength));
        var result = new OrderedDictionary<string, Tensor>();
        var notes = new Dictionary<string, string>();
        foreach (var entry in header.RootElement.EnumerateObject())
        {
            if (entry.Name == "__metadata__")
            {
                foreach (var note in entry.Value.EnumerateObject()) notes[note.Name] = note.Value.GetString() ?? "";
                continue;
            }

            var name = entry.Value.GetProperty("dtype").GetString()!;
            if (!Types.TryGetValue(name, out var type)) throw new InvalidDataException($"'{entry.Name}' has elements of type {name}.");
            var shape = entry.Value.GetProperty("shape").EnumerateArray().Select(extent => extent.GetInt64()).ToArray();
            var offsets = entry.Value.GetProperty("data_offsets");
            var (start, end) = (offsets[0].GetInt64(), offsets[1].GetInt64());
            if (start < 0 || end < start || end > data.Length || end - start != checked(Tensor.Count(shape) * type.Size()))
                throw new InvalidDataException($"'{entry.Name}' lies at {start}..{end} of {data.Length} bytes with shape [{string.Join(", ", shape)}].");
            result.Add(entry.Name, Copy(type, data.Span[(int)start..(int)end], shape));
        }

        metadata = notes;
        return result;
    }

    private static Tensor Copy(ElementType type, ReadOnlySpan<byte> bytes, long[] shape) => type switch
    {
        ElementType.Float64 => Tensor.Create(MemoryMarshal.Cast<byte, double>(bytes).ToArray(), shape),
        ElementType.Float32 => Tensor.Create(MemoryMarshal.Cast<byte, float>(bytes).ToArray(), shape),
        ElementType.Float16 => Tensor.Create(MemoryMarshal.Cast<byte, Half>(bytes).ToArray(), shape),
        ElementType.Int64 => Tensor.Create(MemoryMarshal.Cast<byte, long>(bytes).ToArray(), shape),
        ElementType.Int32 => Tensor.Create(MemoryMarshal.Cast<byte, int>(bytes).ToArray(), shape),
        ElementType.Int16 => Tensor.Create(MemoryMarshal.Cast<byte, short>(bytes).ToArray(), shape),
        ElementType.Int8 => Tensor.Create(MemoryMarshal.Cast<byte, sbyte>(bytes).ToArray(), shape),
        ElementType.UInt64 => Tensor.Create(MemoryMarshal.Cast<byte, ulong>(bytes).ToArray(), shape),
        ElementType.UInt32 => Tensor.Create(MemoryMarshal.Cast<byte, uint>(bytes).ToArray(), shape),
        ElementType.UInt16 => Tensor.Create(MemoryMarshal.Cast<byte, ushort>(bytes).ToArray(), shape),
        ElementType.UInt8 => Tensor.Create(bytes.ToArray(), shape),
        ElementType.Bool => Tensor.Create(MemoryMarshal.Cast<byte, bool>(bytes).ToArray(), shape),
        _ => throw new InvalidDataException($"elements of {type}."),
    };
}
