using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// What one thread needs while it encodes: the tokens of pieces that it met, and buffers. Of bounded size; rented from a pool, so that nobody waits for a lock.
/// </summary>
internal sealed class EncodeScratch
{
    private const int Slots = 1 << 16;

    /// <summary>Most tokens of a piece that is kept.</summary>
    public const int MaxTokens = 3;

    /// <summary>Longest piece that is kept, in bytes.</summary>
    public const int MaxLength = 16;

    /// <summary>Added to the length of a part of a piece.</summary>
    public const int PartLength = 32;

    [StructLayout(LayoutKind.Sequential)]
    internal struct Slot
    {
        public Vector128<byte> Key;
        public short Length; // 0: free
        public short Count;
        public int Id0;
        public int Id1;
        public int Id2;
    }

    private readonly Slot[] _slots = GC.AllocateArray<Slot>(Slots);

    /// <summary>What does not fit a slot.</summary>
    public readonly LongPieceCache Long = new();

    /// <summary>Marks of positions that no segmentation of a piece goes through.</summary>
    public bool[] DeadEnds = [];

    /// <summary>Answers of <see cref="PairBacktracker"/>: pair, and whether it holds, in the lowest bit.</summary>
    public readonly ulong[] Pairs = new ulong[1 << 15];

    /// <summary>The slot of a piece, if it is kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref readonly Slot Find(Vector128<byte> key, int length, ulong hash, out bool found)
    {
        // Two neighbours of one cache line.
        ref var first = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_slots), (nint)(hash >> 48));
        if (first.Key == key && first.Length == length)
        {
            found = true;
            return ref first;
        }

        ref var second = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_slots), (nint)(hash >> 48 ^ 1));
        found = second.Key == key && second.Length == length;
        return ref second;
    }

    /// <summary>Keeps the tokens of a piece; the one met longest ago gives way.</summary>
    public void Keep(Vector128<byte> key, int length, ulong hash, ReadOnlySpan<int> ids)
    {
        if (ids.Length is 0 or > MaxTokens) return;
        var index = (int)(hash >> 48);
        if (_slots[index].Length != 0) _slots[index ^ 1] = _slots[index];
        _slots[index] = new()
        {
            Key = key,
            Length = (short)length,
            Count = (short)ids.Length,
            Id0 = ids[0],
            Id1 = ids.Length > 1 ? ids[1] : 0,
            Id2 = ids.Length > 2 ? ids[2] : 0,
        };
    }
}
