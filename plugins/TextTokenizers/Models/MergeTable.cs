using System.Numerics;
using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>The merges of a BPE: pairs of ids to rank and new id. Open addressing.</summary>
public sealed class MergeTable
{
    private struct Slot
    {
        public ulong Pair; // left << 32 | right, plus one; 0: free
        public int Rank;
        public int NewId;
    }

    private readonly Slot[] _slots;
    private readonly int _shift;

    /// <summary>The merges in order of rank. A pair named twice keeps the later rank, like the reference.</summary>
    public MergeTable(IReadOnlyList<(int Left, int Right, int NewId)> merges)
    {
        Merges = merges;
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, merges.Count * 2));
        _slots = new Slot[size];
        _shift = 64 - BitOperations.Log2((uint)size);
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var (left, right, newId) = merges[rank];
            var pair = ((ulong)(uint)left << 32 | (uint)right) + 1;
            var i = (int)(Hash(pair) >> _shift);
            while (_slots[i].Pair != 0 && _slots[i].Pair != pair) i = (i + 1) & (size - 1);
            _slots[i] = new() { Pair = pair, Rank = rank, NewId = newId };
        }
    }

    /// <summary>The merges in order of rank.</summary>
    public IReadOnlyList<(int Left, int Right, int NewId)> Merges { get; }

    /// <summary>Rank and new id of a pair.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGet(int left, int right, out int rank, out int newId)
    {
        var pair = ((ulong)(uint)left << 32 | (uint)right) + 1;
        var slots = _slots;
        for (var i = (int)(Hash(pair) >> _shift); ; i = (i + 1) & (slots.Length - 1))
        {
            ref readonly var slot = ref slots[i];
            if (slot.Pair == pair)
            {
                rank = slot.Rank;
                newId = slot.NewId;
                return true;
            }

            if (slot.Pair == 0)
            {
                rank = int.MaxValue;
                newId = -1;
                return false;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Hash(ulong pair) => (pair ^ pair >> 31) * 0x9E3779B97F4A7C15UL;
}
