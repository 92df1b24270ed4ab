using System.Buffers.Binary;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>
/// A safetensors file used in place: 8 bytes with the length of the header, a JSON header of names, types, shapes and offsets, and the elements. Nothing is copied.
/// All that the header says is checked before any element is touched.
/// </summary>
internal static class SafetensorsFile
{
    /// <summary>The longest header that the format allows.</summary>
    private const long LongestHeader = 100_000_000;

    /// <summary>True when the file begins like this format.</summary>
    public static bool Recognizes(ByteBlock file) =>
        file.Length >= 10 && file.Span(8, 1)[0] == '{' && BinaryPrimitives.ReadUInt64LittleEndian(file.Span(0, 8)) is >= 2 and <= LongestHeader;

    /// <summary>The tensors of <paramref name="file"/>.</summary>
    /// <exception cref="CheckpointException"><see cref="ErrorCodes.CheckpointMalformed"/>.</exception>
    public static IReadOnlyList<StoredTensor> Read(ByteBlock file)
    {
        if (file.Length < 8) throw CheckpointErrors.Malformed(file.Path, "The file is too short for safetensors.", "at least 8 bytes", $"{file.Length} bytes");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(file.Span(0, 8));
        if (length > LongestHeader || length > (ulong)(file.Length - 8))
        {
            throw CheckpointErrors.Malformed(
                file.Path, "The header of the safetensors file is longer than the file, or than the format allows.",
                $"at most {Math.Min(LongestHeader, file.Length - 8)} bytes", $"{length} bytes");
        }

        var entries = new List<Entry>();
        try
        {
            ReadHeader(file, file.Span(8, (int)length), entries);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw CheckpointErrors.Malformed(file.Path, "The header of the safetensors file is not what the format says.", found: e.Message, inner: e);
        }

        var start = 8 + (long)length;
        CheckLayout(file, entries, file.Length - start);
        return [.. entries.Select(e => StoredTensor.InPlace(e.Name, e.Type, e.Shape, file, start + e.Begin))];
    }

    private static void ReadHeader(ByteBlock file, ReadOnlySpan<byte> json, List<Entry> entries)
    {
        var reader = new Utf8JsonReader(json, new() { MaxDepth = 4 });
        var names = new HashSet<string>();
        Expect(ref reader, JsonTokenType.StartObject);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            if (!names.Add(name)) throw CheckpointErrors.Malformed(file.Path, "A name is there twice in the header of the safetensors file.", found: name);
            reader.Read();
            if (name == "__metadata__") reader.Skip();
            else entries.Add(ReadEntry(ref reader, file, name));
        }

        if (reader.Read()) throw new JsonException("text after the header's object");
    }

    private static Entry ReadEntry(ref Utf8JsonReader reader, ByteBlock file, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException($"{name} is not an object");
        ElementType? type = null;
        long[]? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString();
            reader.Read();
            switch (key)
            {
                case "dtype": type = TypeOf(file, name, reader.GetString()); break;
                case "shape": shape = Numbers(ref reader, name); break;
                case "data_offsets": offsets = Numbers(ref reader, name); break;
                default: throw new JsonException($"{name} has an unknown key '{key}'");
            }
        }

        if (type is null || shape is null || offsets is not { Length: 2 }) throw new JsonException($"{name} lacks dtype, shape or two data_offsets");
        return new(name, type.Value, shape, offsets[0], offsets[1]);
    }

    private static long[] Numbers(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw new JsonException($"{name} has something else where a list of numbers belongs");
        var list = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var number = reader.GetInt64();
            if (number < 0) throw new JsonException($"{name} has the negative number {number}");
            list.Add(number);
        }

        return [.. list];
    }

    private static ElementType TypeOf(ByteBlock file, string name, string? dtype) => dtype switch
    {
        "F64" => ElementType.Float64,
        "F32" => ElementType.Float32,
        "F16" => ElementType.Float16,
        "BF16" => ElementType.BFloat16,
        "F8_E4M3" => ElementType.Float8E4M3,
        "F8_E5M2" => ElementType.Float8E5M2,
        "I64" => ElementType.Int64,
        "I32" => ElementType.Int32,
        "I16" => ElementType.Int16,
        "I8" => ElementType.Int8,
        "U64" => ElementType.UInt64,
        "U32" => ElementType.UInt32,
        "U16" => ElementType.UInt16,
        "U8" => ElementType.UInt8,
        "BOOL" => ElementType.Bool,
        _ => throw CheckpointErrors.Malformed(
            $"{file.Path}: {name}", "The tensor has a type that is not supported.", "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I8..I64, U8..U64 or BOOL", dtype),
    };

    // The parts must lie one after the other and fill the file: then none overlaps another and none reaches outside.
    private static void CheckLayout(ByteBlock file, List<Entry> entries, long available)
    {
        var end = 0L;
        foreach (var entry in entries.OrderBy(e => e.Begin).ThenBy(e => e.End))
        {
            var where = $"{file.Path}: {entry.Name}";
            void Refuse(string what, string expected, string found) => throw CheckpointErrors.Malformed(where, what, expected, found);
            if (entry.Begin < end) Refuse("The tensor overlaps another.", $"offset {end}", $"offset {entry.Begin}");
            if (entry.Begin > end) Refuse("There is a gap before the tensor.", $"offset {end}", $"offset {entry.Begin}");
            if (entry.End < end || entry.End > available) Refuse("The tensor reaches outside the file.", $"an end in {end}..{available}", $"{entry.End}");
            if (!Holds(entry)) Refuse("The tensor has another number of bytes than its shape needs.", $"{entry.Type}[{string.Join(", ", entry.Shape)}]", $"{entry.End - entry.Begin} bytes");
            end = entry.End;
        }

        if (end != available) throw CheckpointErrors.Malformed(file.Path, "The safetensors file does not end with its last tensor.", $"{end} bytes of elements", $"{available}");
    }

    private static bool Holds(Entry entry)
    {
        try
        {
            return checked(Tensor.Count(entry.Shape) * entry.Type.Size()) == entry.End - entry.Begin;
        }
        catch (OverflowException)
        {
            return false;
        }
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type)
    {
        if (!reader.Read() || reader.TokenType != type) throw new JsonException($"{type} expected");
    }

    private sealed record Entry(string Name, ElementType Type, long[] Shape, long Begin, long End);
}
