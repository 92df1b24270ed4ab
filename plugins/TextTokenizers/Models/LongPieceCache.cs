using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Tokens of pieces that are too long, or have too many tokens, for a slot of <see cref="EncodeScratch"/>. Bytes and ids lie in two buffers; when one is full, all is forgotten.</summary>
internal sealed class LongPieceCache
{
    /// <summary>Longest piece that is kept, in bytes.</summary>
    public const int MaxLength = 256;

    private const int SlotBits = 14;
    private const int BufferBytes = 1 << 20;
    private const int BufferIds = 1 << 18;

    private struct Slot
    {
        public ulong Hash;
        public int Generation;
        public int Bytes;
        public int Ids;
        public short Length;
        public short Count;
    }

    private readonly Slot[] _slots = new Slot[1 << SlotBits];
    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(BufferBytes);
    private readonly int[] _ids = GC.AllocateUninitializedArray<int>(BufferIds);
    private int _generation = 1;
    private int _usedBytes;
    private int _usedIds;

    /// <summary>The hash of a piece, <see cref="TokenTable.HashLong"/>, or of a part, which has not the tokens of a piece of the same bytes.</summary>
    public static ulong Hash(ReadOnlySpan<byte> piece, int kind) => TokenTable.HashLong(piece) + (uint)(kind & PieceKey.Part) * 0x9E3779B97F4A7C15UL;

    /// <summary>Appends the tokens of a piece if they are kept.</summary>
    public bool TryEncode(ReadOnlySpan<byte> piece, ulong hash, IdBuffer output)
    {
        ref readonly var slot = ref _slots[Index(hash)];
        if (slot.Hash != hash || slot.Generation != _generation || slot.Length != piece.Length || !_bytes.AsSpan(slot.Bytes, piece.Length).SequenceEqual(piece)) return false;
        output.Add(_ids.AsSpan(slot.Ids, slot.Count));
        return true;
    }

    /// <summary>Keeps the tokens of a piece, unless it is too long; the one that had its slot gives way.</summary>
    public void Keep(ReadOnlySpan<byte> piece, ulong hash, ReadOnlySpan<int> ids)
    {
        if (piece.Length > MaxLength) return;
        if (_usedBytes + piece.Length > BufferBytes || _usedIds + ids.Length > BufferIds) (_usedBytes, _usedIds, _generation) = (0, 0, _generation + 1);
        piece.CopyTo(_bytes.AsSpan(_usedBytes));
        ids.CopyTo(_ids.AsSpan(_usedIds));
        _slots[Index(hash)] = new() { Hash = hash, Generation = _generation, Bytes = _usedBytes, Ids = _usedIds, Length = (short)piece.Length, Count = (short)ids.Length };
        _usedBytes += piece.Length;
        _usedIds += ids.Length;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Index(ulong hash) => (int)(hash * 0x94D049BB133111EBUL >> 64 - SlotBits);
}
