using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;
using ModelZoo.Inference.Numpy;

namespace ModelZoo.Inference;

/// <summary>NumPy's .npy files: a magic number, a version, and a header that describes one array.</summary>
public static partial class NumpyFile
{
    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Reads an array of numbers.</summary>
    /// <exception cref="CheckpointException">The file is not there, is damaged, or holds something else.</exception>
    public static Tensor Read(string path) => WeightConversion.ToTensor(Read(ByteBlock.Of(new MappedFile(path))).Stored("array").Data);

    /// <summary>Reads an array of numbers from the bytes of a file; <paramref name="where"/> names it in errors.</summary>
    /// <exception cref="CheckpointException">The bytes are damaged, or hold something else.</exception>
    public static Tensor Read(ReadOnlySpan<byte> bytes, string where) => WeightConversion.ToTensor(Read(ByteBlock.Copy(where, bytes)).Stored("array").Data);

    /// <summary>Writes an array as a .npy file of version 1.0. The file appears whole or not at all.</summary>
    public static void Write(string path, Tensor tensor) => WholeFile.Write(path, stream => Write(stream, tensor));

    /// <summary>Writes an array as .npy of version 1.0.</summary>
    public static void Write(Stream stream, Tensor tensor)
    {
        var shape = string.Concat(tensor.Shape.ToArray().Select(s => $"{s}, "));
        var header = $"{{'descr': '{Describe(tensor.Type)}', 'fortran_order': False, 'shape': ({shape}), }}";
        header = header.PadRight((header.Length + 11 + 63) / 64 * 64 - 11) + '\n';
        stream.Write(Magic);
        stream.Write([1, 0, (byte)header.Length, (byte)(header.Length >> 8)]);
        stream.Write(Encoding.ASCII.GetBytes(header));
        stream.Write(tensor.Bytes);
    }

    internal static bool Recognizes(ByteBlock file) => file.StartsWith(Magic);

    internal static NumpyArray Read(ByteBlock file)
    {
        if (!Recognizes(file)) throw CheckpointErrors.Malformed(file.Path, "This is not an .npy file.");
        var version = file.Span(6, 1)[0];
        var (start, length) = version == 1 ? (10, BinaryPrimitives.ReadUInt16LittleEndian(file.Span(8, 2))) : (12L, BinaryPrimitives.ReadUInt32LittleEndian(file.Span(8, 4)));
        if (length > 1 << 16) throw CheckpointErrors.Malformed(file.Path, "The header of the .npy file is too long.");
        var header = Encoding.Latin1.GetString(file.Span(start, (int)length));
        var type = TypeOf().Match(header);
        var order = Order().Match(header);
        var shape = Shape().Match(header);
        if (!type.Success || !order.Success || !shape.Success) throw CheckpointErrors.Malformed(file.Path, "The header of the .npy file cannot be read.", "descr, fortran_order and shape", header.Trim());
        var extents = shape.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var sizes = new long[extents.Length];
        for (var i = 0; i < sizes.Length; i++)
        {
            if (!long.TryParse(extents[i].TrimEnd('L'), out sizes[i])) throw CheckpointErrors.Malformed(file.Path, "The shape in the .npy file cannot be read.", found: extents[i]);
        }

        var elements = file.Slice(start + length, file.Length - start - length);
        var array = new NumpyArray(file.Path);
        array.Set(NumpyType.Parse(file.Path, type.Groups[1].Value), sizes, order.Groups[1].Value == "True", elements.Length, () => elements);
        return array;
    }

    private static string Describe(ElementType type) => type switch
    {
        ElementType.Float32 => "<f4",
        ElementType.Float64 => "<f8",
        ElementType.Float16 => "<f2",
        ElementType.Int8 => "|i1",
        ElementType.UInt8 => "|u1",
        ElementType.Int16 => "<i2",
        ElementType.UInt16 => "<u2",
        ElementType.Int32 => "<i4",
        ElementType.UInt32 => "<u4",
        ElementType.Int64 => "<i8",
        ElementType.UInt64 => "<u8",
        ElementType.Bool => "|b1",
        _ => throw new ModelZooException(ErrorCodes.TensorType, "NumPy has no such elements.") { Found = type.ToString() },
    };

    [GeneratedRegex(@"'descr':\s*'([^']*)'", RegexOptions.None, 1000)]
    private static partial Regex TypeOf();

    [GeneratedRegex(@"'fortran_order':\s*(True|False)", RegexOptions.None, 1000)]
    private static partial Regex Order();

    [GeneratedRegex(@"'shape':\s*\(([^)]*)\)", RegexOptions.None, 1000)]
    private static partial Regex Shape();
}
