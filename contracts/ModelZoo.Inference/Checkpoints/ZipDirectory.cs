using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace ModelZoo.Inference;

/// <summary>The members of a zip archive in memory. Those that are stored uncompressed are used in place. Sizes and offsets are checked before use.</summary>
internal sealed unsafe class ZipDirectory
{
    private const int EndLength = 22, LocatorLength = 20, End64Length = 56, CentralLength = 46, LocalLength = 30;

    /// <summary>Deflate cannot shrink anything by more than this.</summary>
    private const long DeflateLimit = 1032;

    private readonly ByteBlock _file;
    private readonly Dictionary<string, Member> _members = [];

    public ZipDirectory(ByteBlock file)
    {
        _file = file;
        var (count, position, length) = FindDirectory();
        if (position > file.Length - length || count > length / CentralLength) throw Broken("The directory of the archive does not fit into the file.");
        for (var i = 0L; i < count; i++) position = ReadMember(position);
    }

    public IReadOnlyCollection<string> Names => _members.Keys;

    public bool Contains(string name) => _members.ContainsKey(name);

    /// <summary>The bytes of a member: in place when stored, inflated otherwise.</summary>
    public ByteBlock Read(string name)
    {
        if (!_members.TryGetValue(name, out var member)) throw CheckpointErrors.Malformed(_file.Path, "A part of the archive is missing.", name);
        var local = _file.Span(member.Header, LocalLength);
        if (U32(local, 0) != 0x04034b50) throw Broken($"The member {name} is not where the directory says.");
        var start = member.Header + LocalLength + U16(local, 26) + U16(local, 28);
        var stored = _file.Slice(start, member.Compressed);
        return member.Method switch
        {
            0 when member.Compressed == member.Size => stored,
            8 => Inflate(name, stored, member.Size),
            _ => throw Broken($"The member {name} is packed in a way that is not supported."),
        };
    }

    private ByteBlock Inflate(string name, ByteBlock packed, long size)
    {
        if (size > Array.MaxLength || size / DeflateLimit > packed.Length) throw Broken($"The member {name} claims to be larger than it can be.");
        var bytes = GC.AllocateUninitializedArray<byte>((int)size, pinned: true);
        try
        {
            using var source = new UnmanagedMemoryStream(packed.Address, packed.Length);
            using var inflate = new DeflateStream(source, CompressionMode.Decompress);
            inflate.ReadExactly(bytes);
            if (inflate.ReadByte() >= 0) throw Broken($"The member {name} is larger than the directory says.");
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw CheckpointErrors.Malformed(_file.Path, $"The member {name} cannot be unpacked.", found: e.Message, inner: e);
        }

        GC.KeepAlive(packed);
        return ByteBlock.Pinned(_file.Path, bytes);
    }

    // The end record may be followed by a comment of up to 64 kB; sizes that do not fit it are in a second one before it.
    private (long Count, long Position, long Length) FindDirectory()
    {
        for (var at = _file.Length - EndLength; at >= Math.Max(0, _file.Length - EndLength - ushort.MaxValue); at--)
        {
            var end = _file.Span(at, EndLength);
            if (U32(end, 0) != 0x06054b50) continue;
            if (at < LocatorLength || U32(_file.Span(at - LocatorLength, 4), 0) != 0x07064b50) return (U16(end, 10), U32(end, 16), U32(end, 12));
            var end64 = _file.Span(Size(_file.Span(at - LocatorLength + 8, 8)), End64Length);
            if (U32(end64, 0) != 0x06064b50) throw Broken("The archive's second end record is missing.");
            return (Size(end64[32..]), Size(end64[48..]), Size(end64[40..]));
        }

        throw Broken("The archive has no directory; it is cut off.");
    }

    private long ReadMember(long position)
    {
        var header = _file.Span(position, CentralLength);
        if (U32(header, 0) != 0x02014b50) throw Broken("The directory of the archive is damaged.");
        if ((U16(header, 8) & 1) != 0) throw Broken("The archive is encrypted.");
        var (nameLength, extraLength, commentLength) = (U16(header, 28), U16(header, 30), U16(header, 32));
        var (compressed, size, local) = (U32(header, 20), U32(header, 24), U32(header, 42));
        var name = Encoding.UTF8.GetString(_file.Span(position + CentralLength, nameLength));
        ReadWideSizes(_file.Span(position + CentralLength + nameLength, extraLength), ref size, ref compressed, ref local);
        if (!_members.TryAdd(name, new(U16(header, 10), compressed, size, local))) throw Broken($"The member {name} is there twice.");
        return position + CentralLength + nameLength + extraLength + commentLength;
    }

    // Extra field 1 holds, in this order, those of the three that do not fit 32 bits.
    private void ReadWideSizes(ReadOnlySpan<byte> extra, ref long size, ref long compressed, ref long local)
    {
        while (extra.Length >= 4)
        {
            var (id, length) = (U16(extra, 0), U16(extra, 2));
            extra = extra[4..];
            if (length > extra.Length) throw Broken("The directory of the archive is damaged.");
            if (id == 1)
            {
                var wide = extra[..length];
                Widen(ref wide, ref size);
                Widen(ref wide, ref compressed);
                Widen(ref wide, ref local);
            }

            extra = extra[length..];
        }
    }

    private void Widen(ref ReadOnlySpan<byte> wide, ref long value)
    {
        if (value != uint.MaxValue) return;
        if (wide.Length < 8) throw Broken("The directory of the archive is damaged.");
        value = Size(wide);
        wide = wide[8..];
    }

    private static int U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static long U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private long Size(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt64LittleEndian(bytes) is var size and >= 0 ? size : throw Broken("The directory of the archive is damaged.");

    private Contracts.CheckpointException Broken(string what) => CheckpointErrors.Malformed(_file.Path, what);

    private readonly record struct Member(int Method, long Compressed, long Size, long Header);
}
