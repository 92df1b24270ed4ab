using System.Numerics;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>Byte strings and how often each was met: open addressing, the bytes of all in one buffer.</summary>
internal sealed class PieceCounter
{
    private (ulong Hash, int Offset, int Length, long Count)[] _slots = new (ulong, int, int, long)[1 << 16];
    private byte[] _bytes = new byte[1 << 20];
    private int _used;
    private int _shift = 64 - 16;

    /// <summary>Number of different strings.</summary>
    public int Count { get; private set; }

    /// <summary>Counts a string.</summary>
    public void Add(ReadOnlySpan<byte> piece, long count = 1)
    {
        var hash = TokenTable.HashLong(piece) | 1;
        var i = (int)(hash * 0x9E3779B97F4A7C15UL >> _shift);
        for (; ; i = (i + 1) & (_slots.Length - 1))
        {
            ref var slot = ref _slots[i];
            if (slot.Hash == 0) break;
            if (slot.Hash != hash || slot.Length != piece.Length || !_bytes.AsSpan(slot.Offset, slot.Length).SequenceEqual(piece)) continue;
            slot.Count += count;
            return;
        }

        if (_used + piece.Length > _bytes.Length) Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _used + piece.Length));
        piece.CopyTo(_bytes.AsSpan(_used));
        _slots[i] = (hash, _used, piece.Length, count);
        _used += piece.Length;
        if (++Count * 2 > _slots.Length) Grow();
    }

    /// <summary>Adds all counts of another.</summary>
    public void Add(PieceCounter other)
    {
        foreach (var (hash, offset, length, count) in other._slots)
        {
            if (hash != 0) Add(other._bytes.AsSpan(offset, length), count);
        }
    }

    /// <summary>The strings and their counts, in no order that one may rely on.</summary>
    public IEnumerable<(ReadOnlyMemory<byte> Piece, long Count)> Pieces =>
        _slots.Where(slot => slot.Hash != 0).Select(slot => ((ReadOnlyMemory<byte>)_bytes.AsMemory(slot.Offset, slot.Length), slot.Count));

    /// <summary>The strings in <see cref="ByteAlphabet"/>, in order.</summary>
    public IReadOnlyList<KeyValuePair<string, long>> ToWords()
    {
        var words = new KeyValuePair<string, long>[Count];
        var next = 0;
        foreach (var (hash, offset, length, count) in _slots)
        {
            if (hash != 0) words[next++] = new(ByteAlphabet.Encode(_bytes.AsSpan(offset, length)), count);
        }

        Array.Sort(words, static (a, b) => string.CompareOrdinal(a.Key, b.Key));
        return words;
    }

    private void Grow()
    {
        var old = _slots;
        _slots = new (ulong, int, int, long)[old.Length * 2];
        _shift = 64 - BitOperations.Log2((uint)_slots.Length);
        foreach (var slot in old)
        {
            if (slot.Hash == 0) continue;
            var i = (int)(slot.Hash * 0x9E3779B97F4A7C15UL >> _shift);
            while (_slots[i].Hash != 0) i = (i + 1) & (_slots.Length - 1);
            _slots[i] = slot;
        }
    }
}
