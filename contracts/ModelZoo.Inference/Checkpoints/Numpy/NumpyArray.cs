using System.Buffers.Binary;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Numpy;

/// <summary>A NumPy element type: kind, size and byte order.</summary>
internal sealed class NumpyType
{
    private NumpyType(char kind, int size) => (Kind, Size) = (kind, size);

    /// <summary>f, i, u, b, U (text of 32-bit characters), S (bytes).</summary>
    public char Kind { get; }

    /// <summary>Bytes of one element.</summary>
    public int Size { get; }

    /// <summary>True when the bytes are in the other order than this machine's.</summary>
    public bool IsBigEndian { get; private set; }

    /// <summary>The type of elements that a tensor holds; null for texts.</summary>
    public ElementType? Element => (Kind, Size) switch
    {
        ('f', 4) => ElementType.Float32,
        ('f', 8) => ElementType.Float64,
        ('f', 2) => ElementType.Float16,
        ('i', 1) => ElementType.Int8,
        ('i', 2) => ElementType.Int16,
        ('i', 4) => ElementType.Int32,
        ('i', 8) => ElementType.Int64,
        ('u', 1) => ElementType.UInt8,
        ('u', 2) => ElementType.UInt16,
        ('u', 4) => ElementType.UInt32,
        ('u', 8) => ElementType.UInt64,
        ('b', 1) => ElementType.Bool,
        _ => null,
    };

    /// <summary>Reads a description such as <c>&lt;f4</c> or <c>i8</c>.</summary>
    /// <exception cref="CheckpointException">It is something else, such as objects or records.</exception>
    public static NumpyType Parse(string path, string text)
    {
        var order = text.Length > 0 && text[0] is '<' or '>' or '|' or '=' ? text[0] : '=';
        var code = text.TrimStart('<', '>', '|', '=');
        if (code.Length < 2 || !"fiubUS".Contains(code[0]) || !int.TryParse(code.AsSpan(1), out var size) || size is < 0 or > 1 << 20) throw Unknown(path, text);
        var type = new NumpyType(code[0], code[0] == 'U' ? 4 * size : size);
        if (type.Element is null && type.Kind is not ('U' or 'S')) throw Unknown(path, text);
        type.SetByteOrder(path, order.ToString());
        return type;
    }

    public void SetByteOrder(string path, string order) => IsBigEndian = order switch
    {
        ">" => true,
        "<" or "=" or "|" => false,
        _ => throw Unknown(path, order),
    };

    /// <summary>One value.</summary>
    public object Scalar(string path, byte[] bytes)
    {
        if (bytes.Length != Size) throw CheckpointErrors.Malformed(path, "A NumPy number has another size than its type.", $"{Size} bytes", $"{bytes.Length}");
        if (IsBigEndian) bytes = [.. bytes.Reverse()];
        return (Kind, Size) switch
        {
            ('f', 4) => (double)BinaryPrimitives.ReadSingleLittleEndian(bytes),
            ('f', 8) => BinaryPrimitives.ReadDoubleLittleEndian(bytes),
            ('f', 2) => (double)BinaryPrimitives.ReadHalfLittleEndian(bytes),
            ('i', 1) => (long)(sbyte)bytes[0],
            ('i', 2) => (long)BinaryPrimitives.ReadInt16LittleEndian(bytes),
            ('i', 4) => (long)BinaryPrimitives.ReadInt32LittleEndian(bytes),
            ('i', 8) => BinaryPrimitives.ReadInt64LittleEndian(bytes),
            ('u', 1) => (long)bytes[0],
            ('u', 2) => (long)BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            ('u', 4) => (long)BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            ('u', 8) => (long)BinaryPrimitives.ReadUInt64LittleEndian(bytes),
            ('b', 1) => bytes[0] != 0,
            ('U', _) => Encoding.UTF32.GetString(bytes).TrimEnd('\0'),
            _ => bytes,
        };
    }

    private static CheckpointException Unknown(string path, string text) =>
        CheckpointErrors.Malformed(path, "A NumPy array has elements that are not supported.", "f2, f4, f8, i1..i8, u1..u8 or b1", text);
}

/// <summary>A NumPy array in a pickle or .npy file. Its elements are copied when they are asked for, in row-major order and this machine's byte order.</summary>
internal sealed unsafe class NumpyArray(string path)
{
    private NumpyType? _type;
    private long[] _shape = [];
    private bool _fortran;
    private Func<ByteBlock>? _bytes;

    public NumpyArray(string path, NumpyType type, long[] shape, bool fortran, byte[] bytes) : this(path) => Set(type, shape, fortran, bytes);

    public void Set(NumpyType type, long[] shape, bool fortran, byte[] bytes) => Set(type, shape, fortran, bytes.Length, () => ByteBlock.Copy(path, bytes));

    /// <summary>Sets what the array is.</summary>
    /// <exception cref="CheckpointException">The shape needs another number of bytes.</exception>
    public void Set(NumpyType type, long[] shape, bool fortran, long length, Func<ByteBlock> bytes)
    {
        if (type.Element is null) throw CheckpointErrors.Malformed(path, "A NumPy array holds texts.", "numbers", $"{type.Kind}{type.Size}");
        try
        {
            if (shape.Any(s => s < 0) || checked(Tensor.Count(shape) * type.Size) != length)
                throw CheckpointErrors.Malformed(path, "A NumPy array has another number of bytes than its shape needs.", $"[{string.Join(", ", shape)}] of {type.Size} bytes", $"{length} bytes");
        }
        catch (OverflowException e)
        {
            throw CheckpointErrors.Malformed(path, "A NumPy array has a shape that is too large.", inner: e);
        }

        (_type, _shape, _fortran, _bytes) = (type, shape, fortran, bytes);
    }

    /// <summary>This array as the reader's callers see it.</summary>
    /// <exception cref="CheckpointException">The pickle never said what it holds.</exception>
    public StoredTensor Stored(string name)
    {
        var type = _type?.Element ?? throw CheckpointErrors.Malformed(path, "A NumPy array has no elements.");
        return new(new(name, type, [.. _shape]), Read);
    }

    private WeightData Read()
    {
        var block = _bytes!();
        if (_type!.IsBigEndian) block = Swapped(block, _type.Size);
        var data = new WeightData(_type.Element!.Value, _shape, block.Address, block.Owner);
        if (!_fortran || _shape.Length < 2) return data.Address % _type.Size == 0 ? data : StridedCopy.Make(data, _shape, StridedCopy.Dense(_shape));
        long[] strides = [.. StridedCopy.Dense([.. _shape.Reverse()]).Reverse()];
        return StridedCopy.Make(data, _shape, strides);
    }

    private static ByteBlock Swapped(ByteBlock block, int size)
    {
        var bytes = block.Span(0, checked((int)block.Length)).ToArray();
        for (var i = 0; i < bytes.Length; i += size) bytes.AsSpan(i, size).Reverse();
        return ByteBlock.Copy(block.Path, bytes);
    }
}
