using System.Buffers.Binary;
using System.Text;

namespace ModelZoo.Inference;

/// <summary>Writes a Protocol Buffers message.</summary>
internal sealed class ProtoWriter
{
    /// <summary>Wire type of texts, bytes and messages.</summary>
    public const int Bytes = 2;

    private const int Fixed32 = 5;
    private readonly MemoryStream _stream = new();

    public long Length => _stream.Length;

    public ProtoWriter Number(int field, long value) => Tag(field, 0).Varint((ulong)value);

    public ProtoWriter Float(int field, float value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        Tag(field, Fixed32)._stream.Write(bytes);
        return this;
    }

    public ProtoWriter Text(int field, string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        Tag(field, Bytes).Varint((ulong)bytes.Length)._stream.Write(bytes);
        return this;
    }

    public ProtoWriter Message(int field, ProtoWriter content)
    {
        Tag(field, Bytes).Varint((ulong)content.Length);
        content._stream.WriteTo(_stream);
        return this;
    }

    public ProtoWriter Tag(int field, int wireType) => Varint((ulong)((field << 3) | wireType));

    public ProtoWriter Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7) _stream.WriteByte((byte)(value | 0x80));
        _stream.WriteByte((byte)value);
        return this;
    }

    public byte[] ToArray() => _stream.ToArray();
}
