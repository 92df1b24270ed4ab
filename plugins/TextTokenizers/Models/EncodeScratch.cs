using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// What one thread needs while it encodes: the tokens of pieces that it met, and buffers. Of bounded size; rented from a pool, so that nobody waits for a lock.
/// </summary>
internal sealed class EncodeScratch
{
    private const int SlotBits = 15;
    private const int BatchSize = 32;

    /// <summary>Most tokens of a piece that is kept.</summary>
    public const int MaxTokens = 3;

    [StructLayout(LayoutKind.Sequential)]
    internal struct Slot
    {
        public PieceKey Key;
        public int Id0;
        public int Id1;
        public int Id2;
        public int Count;
    }

    /// <summary>A piece: where it ends, its key, and the token that it is, or -1.</summary>
    internal struct Cut
    {
        public PieceKey Key;
        public ulong Hash;
        public int End;
        public int Id;
    }

    /// <summary>Pieces that are looked up at a time.</summary>
    public readonly Cut[] Cuts = new Cut[BatchSize];

    private readonly Slot[] _slots = GC.AllocateArray<Slot>(1 << SlotBits);

    /// <summary>What does not fit a slot.</summary>
    public readonly LongPieceCache Long = new();

    /// <summary>Marks of positions that no segmentation of a piece goes through.</summary>
    public bool[] DeadEnds = [];

    /// <summary>Answers of <see cref="PairBacktracker"/>: pair, and whether it holds, in the lowest bit.</summary>
    public readonly ulong[] Pairs = new ulong[1 << 15];

    /// <summary>What pairs of tokens merge to.</summary>
    public readonly MergeMemo Merges = MergeMemo.Create();

    /// <summary>Appends the tokens of a piece if they are kept.</summary>
    public bool TryEncode(ReadOnlySpan<byte> piece, in PieceKey key, ulong hash, IdBuffer output)
    {
        // Two neighbours of one cache line.
        ref var slot = ref SlotAt(hash);
        if (!slot.Key.IsSame(key)) slot = ref SlotAt(hash ^ 1UL << 64 - SlotBits);
        if (!slot.Key.IsSame(key)) return false;
        if (slot.Count > MaxTokens) return Long.TryEncode(piece, (int)(key.High >> 56), out _, output);
        var room = output.Room(MaxTokens);
        room[0] = slot.Id0;
        room[1] = slot.Id1;
        room[2] = slot.Id2;
        output.Advance(slot.Count);
        return true;
    }

    /// <summary>Has the slots fetched in which a piece of that hash would be kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public unsafe void Prefetch(ulong hash)
    {
        // An address that is stale after a collection does no harm.
        if (Sse.IsSupported) Sse.Prefetch0(Unsafe.AsPointer(ref SlotAt(hash)));
    }

    /// <summary>Keeps the tokens of a piece; the one met longest ago gives way. Many tokens are kept elsewhere, their slot saying so.</summary>
    public void Keep(ReadOnlySpan<byte> piece, in PieceKey key, ulong hash, ReadOnlySpan<int> ids)
    {
        ref var slot = ref SlotAt(hash);
        if (slot.Count != 0 && !slot.Key.IsSame(key)) SlotAt(hash ^ 1UL << 64 - SlotBits) = slot;
        slot = new() { Key = key, Id0 = ids[0], Id1 = ids.Length > 1 ? ids[1] : 0, Id2 = ids.Length > 2 ? ids[2] : 0, Count = ids.Length };
        if (ids.Length > MaxTokens) Long.Keep(piece, LongPieceCache.Hash(piece, (int)(key.High >> 56)), ids);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Slot SlotAt(ulong hash) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_slots), (nint)(hash >> 64 - SlotBits));
}
