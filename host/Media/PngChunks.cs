using System.Buffers.Binary;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media;

/// <summary>PNG's frame: signature, and chunks with check sums.</summary>
internal static class PngChunks
{
    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    private static readonly uint[] Table = [.. Enumerable.Range(0, 256).Select(n => Enumerable.Range(0, 8).Aggregate((uint)n, (c, _) => (c & 1) != 0 ? 0xEDB88320 ^ (c >> 1) : c >> 1))];

    /// <summary>The chunks of a file up to IEND, check sums compared.</summary>
    public static List<(string Type, Range Data)> Read(ReadOnlySpan<byte> file, string where)
    {
        if (file.Length == 0) throw Malformed("The file is empty.", where);
        if (!file.StartsWith(Signature)) throw Malformed("This is not a PNG file.", where);
        var chunks = new List<(string, Range)>();
        for (var at = 8; at + 12 <= file.Length;)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
            if (length > file.Length - at - 12) break;
            var type = System.Text.Encoding.Latin1.GetString(file.Slice(at + 4, 4));
            if (Crc(file.Slice(at + 4, 4 + (int)length)) != BinaryPrimitives.ReadUInt32BigEndian(file[(at + 8 + (int)length)..])) throw Malformed($"The PNG file's chunk {type} is damaged.", where);
            chunks.Add((type, (at + 8)..(at + 8 + (int)length)));
            if (type == "IEND") return chunks;
            at += 12 + (int)length;
        }

        throw Malformed("The PNG file is truncated.", where);
    }

    /// <summary>Writes a chunk.</summary>
    public static void Write(Stream output, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> word = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(word, (uint)data.Length);
        output.Write(word);
        output.Write(type);
        output.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(word, Crc(type, data));
        output.Write(word);
    }

    public static MediaException Malformed(string what, string where, string? expected = null, string? found = null) =>
        new(ErrorCodes.MediaMalformed, what) { Where = where, Expected = expected, Found = found };

    private static uint Crc(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second = default) => ~Crc(Crc(0xFFFFFFFF, first), second);

    private static uint Crc(uint crc, ReadOnlySpan<byte> data)
    {
        foreach (var b in data) crc = Table[(crc ^ b) & 0xFF] ^ (crc >> 8);
        return crc;
    }
}
