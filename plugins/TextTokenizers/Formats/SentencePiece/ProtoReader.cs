using System.Buffers.Binary;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>Reads the fields of a Protocol Buffers message, one after the other.</summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;

    /// <summary>Number of the field just read.</summary>
    public int Field { get; private set; }

    /// <summary>Its value, when it is a number.</summary>
    public ulong Number { get; private set; }

    /// <summary>Its value, when it is a string, bytes or a message.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    public readonly bool Flag => Number != 0;

    public readonly int Integer => (int)(long)Number;

    public readonly float Float => BitConverter.UInt32BitsToSingle((uint)Number);

    public readonly string Text => System.Text.Encoding.UTF8.GetString(Bytes);

    /// <summary>Reads the next field; false at the end.</summary>
    /// <exception cref="FormatException">The message breaks the format.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty) return false;
        var tag = Varint();
        Field = (int)(tag >> 3);
        Bytes = default;
        Number = 0;
        switch (tag & 7)
        {
            case 0: Number = Varint(); break;
            case 1: Number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8)); break;
            case 2: Bytes = Take(Varint()); break;
            case 5: Number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4)); break;
            default: throw new FormatException($"the message has a field of the unknown wire type {tag & 7}");
        }

        return true;
    }

    private ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)_rest.Length) throw new FormatException("the message ends inside a field");
        var result = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return result;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var b = Take(1)[0];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80) return value;
        }

        throw new FormatException("the message has a number that is too long");
    }
}
