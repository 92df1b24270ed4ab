using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>What pairs of tokens met lately merge to. By their bytes the vocabulary tells the same, at many times the cost.</summary>
internal readonly struct MergeMemo
{
    private const int IdBits = 21;
    private const int None = (1 << IdBits) - 1;
    private const int SlotBits = 14;

    private readonly ulong[]? _slots; // left, right, and what they merge to or None

    private MergeMemo(ulong[] slots) => _slots = slots;

    /// <summary>An empty memo. The default one stays empty.</summary>
    public static MergeMemo Create()
    {
        var slots = new ulong[1 << SlotBits];
        Array.Fill(slots, ulong.MaxValue);
        return new(slots);
    }

    /// <summary>What two tokens merge to, or -1; false when that is not known.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGet(int left, int right, out int merged)
    {
        merged = -1;
        if (_slots is null) return false;
        var pair = Pair(left, right);
        var slot = _slots[Index(pair)];
        if ((slot & None) != None) merged = (int)(slot & None);
        return slot >> IdBits == pair;
    }

    /// <summary>Keeps an answer, unless an id is too large.</summary>
    public void Keep(int left, int right, int merged)
    {
        if (_slots is null || Math.Max(Math.Max(left, right), merged) >= None) return;
        var pair = Pair(left, right);
        _slots[Index(pair)] = pair << IdBits | (uint)(merged & None);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Pair(int left, int right) => (ulong)(uint)left << IdBits | (uint)right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Index(ulong pair) => (int)(pair * 0x9E3779B97F4A7C15UL >> 64 - SlotBits);
}
