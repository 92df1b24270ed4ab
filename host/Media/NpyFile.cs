using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media;

/// <summary>NumPy's <c>.npy</c> files (versions 1 to 3): little-endian numbers in C order.</summary>
internal static partial class NpyFile
{
    /// <summary>Reads an array.</summary>
    /// <exception cref="MediaException">It is not an .npy file of plain numbers.</exception>
    public static Tensor Read(ReadOnlySpan<byte> file, string where)
    {
        if (file.Length < 10 || file[0] != 0x93 || !file[1..6].SequenceEqual("NUMPY"u8)) throw Malformed("This is not an .npy file.", where);
        var wide = file[6] >= 2;
        var start = wide ? 12 : 10;
        if (file.Length < start) throw Malformed("The .npy file is truncated.", where);
        var length = wide ? BinaryPrimitives.ReadUInt32LittleEndian(file[8..]) : BinaryPrimitives.ReadUInt16LittleEndian(file[8..]);
        if (length > file.Length - start) throw Malformed("The .npy file's header is truncated.", where);
        var header = Encoding.UTF8.GetString(file.Slice(start, (int)length));
        var (type, order, shape) = (Descr().Match(header), Fortran().Match(header), Shape().Match(header));
        if (!type.Success || !order.Success || !shape.Success) throw Malformed("The .npy file's header cannot be read.", where, found: header.Trim());
        if (order.Groups[1].Value == "True") throw Malformed("Arrays in Fortran order are not read.", where, "numpy.ascontiguousarray before numpy.save");
        var extents = shape.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(long.Parse).ToArray();
        var data = file[(start + (int)length)..];
        return Create(type.Groups[1].Value, data, extents, where);
    }

    /// <summary>Writes an array of 32-bit numbers.</summary>
    public static void Write(Stream output, Tensor tensor)
    {
        var type = tensor.Type switch { ElementType.Float32 => "<f4", ElementType.Float64 => "<f8", ElementType.Int32 => "<i4", ElementType.Int64 => "<i8", _ => throw new ArgumentException($"{tensor} is not written to .npy.", nameof(tensor)) };
        var shape = tensor.Rank == 1 ? $"({tensor.Shape[0]},)" : $"({string.Join(", ", tensor.Shape.ToArray())})";
        var header = $"{{'descr': '{type}', 'fortran_order': False, 'shape': {shape}, }}";
        header = header.PadRight((10 + header.Length + 1 + 63) / 64 * 64 - 11) + "\n";
        output.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, (byte)(header.Length >> 8)]);
        output.Write(Encoding.ASCII.GetBytes(header));
        output.Write(tensor.Bytes);
    }

    private static Tensor Create(string type, ReadOnlySpan<byte> data, long[] shape, string where)
    {
        long count;
        try
        {
            count = Tensor.Count(shape);
        }
        catch (OverflowException)
        {
            throw Malformed("The .npy file's shape makes no sense.", where, found: $"({string.Join(", ", shape)})");
        }

        var size = type[^1] - '0';
        if (data.Length != count * size) throw Malformed("The .npy file has another number of elements than its shape.", where, $"{count * size} bytes", $"{data.Length} bytes");
        return type switch
        {
            "<f4" => Tensor.Create(MemoryMarshal.Cast<byte, float>(data).ToArray(), shape),
            "<f8" => Tensor.Create(MemoryMarshal.Cast<byte, double>(data).ToArray(), shape),
            "<i4" => Tensor.Create(MemoryMarshal.Cast<byte, int>(data).ToArray(), shape),
            "<i8" => Tensor.Create(MemoryMarshal.Cast<byte, long>(data).ToArray(), shape),
            _ => throw Malformed("This type of array is not read.", where, "<f4, <f8, <i4 or <i8", type),
        };
    }

    private static MediaException Malformed(string what, string where, string? expected = null, string? found = null) =>
        new(ErrorCodes.MediaMalformed, what) { Where = where, Expected = expected, Found = found };

    [GeneratedRegex(@"'descr'\s*:\s*'([<>|=][a-z][0-9]+)'")]
    private static partial Regex Descr();

    [GeneratedRegex(@"'fortran_order'\s*:\s*(True|False)")]
    private static partial Regex Fortran();

    [GeneratedRegex(@"'shape'\s*:\s*\(([0-9, ]*)\)")]
    private static partial Regex Shape();
}
