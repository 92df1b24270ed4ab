using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ModelZoo.Inference;

/// <summary>Bytes at a fixed address: a part of a mapped file or of a pinned array. <paramref name="owner"/> keeps them there.</summary>
internal sealed unsafe class ByteBlock(string path, byte* address, long length, object owner)
{
    public string Path => path;

    public byte* Address => address;

    public long Length => length;

    public object Owner => owner;

    public static ByteBlock Of(MappedFile file) => new(file.Path, file.Address, file.Length, file);

    /// <summary>The bytes of an array made with <c>pinned: true</c>.</summary>
    public static ByteBlock Pinned(string path, byte[] bytes) => new(path, (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(bytes)), bytes.Length, bytes);

    /// <summary>A pinned copy.</summary>
    public static ByteBlock Copy(string path, ReadOnlySpan<byte> bytes)
    {
        var copy = GC.AllocateUninitializedArray<byte>(bytes.Length, pinned: true);
        bytes.CopyTo(copy);
        return Pinned(path, copy);
    }

    /// <summary>A part, which must be within this block.</summary>
    /// <exception cref="Contracts.CheckpointException">It is not.</exception>
    public ByteBlock Slice(long offset, long count)
    {
        Check(offset, count);
        return new(path, address + offset, count, owner);
    }

    /// <summary>A part as a span; the caller keeps this block reachable.</summary>
    /// <exception cref="Contracts.CheckpointException">It is not within this block.</exception>
    public ReadOnlySpan<byte> Span(long offset, int count)
    {
        Check(offset, count);
        return new(address + offset, count);
    }

    public bool StartsWith(ReadOnlySpan<byte> prefix) => length >= prefix.Length && Span(0, prefix.Length).SequenceEqual(prefix);

    private void Check(long offset, long count)
    {
        if (offset < 0 || count < 0 || offset > length - count)
            throw CheckpointErrors.Malformed(path, "The file ends too early, or points outside itself.", $"{count} bytes at {offset}", $"{length} bytes");
    }
}
