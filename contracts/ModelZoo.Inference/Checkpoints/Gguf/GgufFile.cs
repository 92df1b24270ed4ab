// GGUF, version 2 and 3: github.com/ggml-org/ggml, docs/gguf.md.
using System.Buffers.Binary;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Gguf;

/// <summary>
/// Reads a GGUF file: tensors, and what is said of the model beside them. Every length, count and offset is checked against the file before it is used. Quantised tensors are 32-bit floats here, made when they are asked for.
/// </summary>
internal sealed class GgufFile
{
    private const int MostDimensions = 4;
    private const int Deepest = 4;
    private const long DefaultAlignment = 32;

    private readonly ByteBlock _file;
    private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);
    private long _at = 4;

    private GgufFile(ByteBlock file) => _file = file;

    /// <summary>What the file says of the model, by key: numbers as <see cref="long"/> or <see cref="double"/>, texts, booleans, lists.</summary>
    public IReadOnlyDictionary<string, object?> Values => _values;

    /// <summary>The tensors, extents outermost first.</summary>
    public IReadOnlyList<StoredTensor> Tensors { get; private set; } = [];

    public static bool Recognizes(ByteBlock file) => file.StartsWith("GGUF"u8);

    /// <exception cref="CheckpointException">The file is not what the format says, or has tensors of a kind that is not supported.</exception>
    public static GgufFile Read(ByteBlock file)
    {
        var gguf = new GgufFile(file);
        gguf.ReadHeader();
        return gguf;
    }

    private void ReadHeader()
    {
        var version = (uint)Number(4);
        if (version is not (2 or 3)) throw Malformed("The version of the format is not supported.", "2 or 3", version.ToString());
        var (tensors, values) = (Count(8 + 4 + 4 + 8), Count(8 + 4 + 1));
        for (var i = 0; i < values; i++)
        {
            var key = Text();
            if (!_values.TryAdd(key, Value((uint)Number(4), 0))) throw Malformed("A key is there twice.", found: key);
        }

        var alignment = _values.GetValueOrDefault("general.alignment") is long given ? given : DefaultAlignment;
        if (alignment is <= 0 or > 1 << 20 || alignment % 8 != 0) throw Malformed("The alignment of the tensors cannot be.", "a multiple of 8", alignment.ToString());
        var entries = new List<(string Name, GgufKind Kind, long[] Shape, long Offset)>();
        for (var i = 0; i < tensors; i++) entries.Add(Entry());

        var start = (_at + alignment - 1) / alignment * alignment;
        Tensors = [.. entries.Select(entry => Stored(entry, start, alignment))];
        if (Tensors.GroupBy(tensor => tensor.Info.Name).FirstOrDefault(group => group.Count() > 1) is { } twice) throw Malformed("A tensor is there twice.", found: twice.Key);
    }

    private (string, GgufKind, long[], long) Entry()
    {
        var (name, rank) = (Text(), (uint)Number(4));
        if (rank > MostDimensions) throw Malformed($"The tensor '{name}' has too many dimensions.", $"at most {MostDimensions}", rank.ToString());
        // The format lists the innermost extent first.
        var shape = new long[rank];
        for (var axis = (int)rank - 1; axis >= 0; axis--)
        {
            shape[axis] = Number(8);
            if (shape[axis] < 0) throw Malformed($"The tensor '{name}' has an extent that cannot be.", found: ((ulong)shape[axis]).ToString());
        }

        var type = (uint)Number(4);
        var kind = GgufKind.Of(type) ?? throw Malformed($"The tensor '{name}' is stored in a way that is not supported.", GgufKind.Names, $"type {type}");
        return (name, kind, shape, Number(8));
    }

    private StoredTensor Stored((string Name, GgufKind Kind, long[] Shape, long Offset) entry, long start, long alignment)
    {
        var (name, kind, shape, offset) = entry;
        if (offset < 0 || offset % alignment != 0) throw Malformed($"The tensor '{name}' begins where none can.", $"a multiple of {alignment}", ((ulong)offset).ToString());
        var bytes = kind.BytesOf(shape) ?? throw Malformed($"The tensor '{name}' has extents that its kind cannot have.", $"rows of a multiple of {kind.BlockSize}", string.Join(" x ", shape));
        if (start > _file.Length - bytes || offset > _file.Length - bytes - start) throw Malformed($"The tensor '{name}' reaches outside the file.", $"{bytes} bytes at {offset}", $"{_file.Length - start} bytes");
        return kind.Stored(name, shape, _file.Slice(start + offset, bytes));
    }

    private object Value(uint type, int depth) => type switch
    {
        0 => Number(1),
        1 => (long)(sbyte)Number(1),
        2 => Number(2),
        3 => (long)(short)Number(2),
        4 => Number(4),
        5 => (long)(int)Number(4),
        6 => (double)BitConverter.Int32BitsToSingle((int)Number(4)),
        7 => Number(1) != 0,
        8 => Text(),
        9 => List(depth),
        10 or 11 => Number(8),
        12 => BitConverter.Int64BitsToDouble(Number(8)),
        _ => throw Malformed("A value is of a type that the format does not have.", found: type.ToString()),
    };

    private object List(int depth)
    {
        if (depth == Deepest) throw Malformed("Lists are nested too deeply.", $"{Deepest} levels");
        var type = (uint)Number(4);
        var list = new object?[Count(type switch { 8 => 8, 9 => 12, 0 or 1 or 7 => 1, 2 or 3 => 2, 10 or 11 or 12 => 8, _ => 4 })];
        for (var i = 0; i < list.Length; i++) list[i] = Value(type, depth + 1);
        return list;
    }

    // Little-endian, not negative below 8 bytes.
    private long Number(int bytes)
    {
        Span<byte> whole = stackalloc byte[8];
        whole.Clear();
        _file.Span(_at, bytes).CopyTo(whole);
        _at += bytes;
        return BinaryPrimitives.ReadInt64LittleEndian(whole);
    }

    // How many of something that takes at least so many bytes each: no more than the file has room for.
    private int Count(int smallest)
    {
        var count = Number(8);
        if (count < 0 || count > (_file.Length - _at) / smallest || count > Array.MaxLength) throw Malformed("The file names more than it can hold.", $"at most {(_file.Length - _at) / smallest}", ((ulong)count).ToString());
        return (int)count;
    }

    private string Text()
    {
        var length = Count(1);
        var text = Encoding.UTF8.GetString(_file.Span(_at, length));
        _at += length;
        return text;
    }

    private CheckpointException Malformed(string what, string? expected = null, string? found = null) => CheckpointErrors.Malformed(_file.Path, what, expected, found);
}
