using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// A vocabulary: byte strings to ids and back. Open addressing; strings of up to 16 bytes are compared as one vector without leaving the slot.
/// Filled once, then read from any number of threads.
/// </summary>
public sealed class TokenTable
{
    [StructLayout(LayoutKind.Sequential)]
    private struct Slot
    {
        public Vector128<byte> Key; // the bytes, or hash and place of a longer string
        public int Length;          // 0: free
        public int Id;
    }

    private readonly Dictionary<int, (int Offset, int Length)> _distant = [];
    private Slot[] _slots;
    private byte[] _bytes;
    private long[] _places = []; // by id: offset << 24 | length + 1; 0 when the id has no token
    private string?[] _texts = [];
    private ulong[] _filter = new ulong[1];
    private int _used;
    private int _shift;
    private int _filterShift = 63;

    /// <summary>An empty table with room for <paramref name="capacity"/> tokens.</summary>
    public TokenTable(int capacity)
    {
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, capacity * 2));
        _slots = new Slot[size];
        _shift = 64 - BitOperations.Log2((uint)size);
        MakeFilter();
        _bytes = new byte[Math.Max(64, capacity * 8)];
        _places = new long[capacity + 1];
    }

    /// <summary>Number of tokens.</summary>
    public int Count { get; private set; }

    /// <summary>One more than the largest id.</summary>
    public int IdLimit { get; private set; }

    /// <summary>Length of the longest token, in bytes.</summary>
    public int LongestToken { get; private set; }

    /// <summary>Adds a token; one that is there already gets the new id.</summary>
    public void Add(ReadOnlySpan<byte> token, int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        if ((Count + 1) * 2 > _slots.Length) Grow();
        var place = Store(token);
        var key = KeyOf(token, place);
        ref var slot = ref FindSlot(token, key);
        if (slot.Length == 0)
        {
            slot.Key = key;
            slot.Length = token.Length + 1;
            Count++;
        }

        slot.Id = id;
        Mark(HashOf(token, key));
        _texts = [];
        SetPlace(id, place, token.Length);
        IdLimit = Math.Max(IdLimit, id + 1);
        LongestToken = Math.Max(LongestToken, token.Length);
    }

    /// <summary>The id of a token.</summary>
    public bool TryGet(ReadOnlySpan<byte> token, out int id)
    {
        ref var slot = ref FindSlot(token, KeyOf(token, 0));
        id = slot.Id;
        return slot.Length != 0;
    }

    /// <summary>The id of a token.</summary>
    public bool TryGet(string token, out int id)
    {
        Span<byte> utf8 = token.Length <= 85 ? stackalloc byte[256] : new byte[token.Length * 3];
        return TryGet(utf8[..Encoding.UTF8.GetBytes(token, utf8)], out id);
    }

    /// <summary>As <see cref="TryGet(ReadOnlySpan{byte}, out int)"/>, for strings that mostly are no tokens: a small filter answers for nearly all of them, where the table would have to come from memory.</summary>
    internal bool TryGetRare(ReadOnlySpan<byte> token, out int id)
    {
        var key = KeyOf(token, 0);
        var hash = HashOf(token, key);
        var bits = Bits(hash);
        if ((_filter[(int)(hash >> _filterShift)] & bits) != bits)
        {
            id = 0;
            return false;
        }

        ref var slot = ref FindSlot(token, key, hash);
        id = slot.Id;
        return slot.Length != 0;
    }

    /// <summary>The id of a token of up to 16 bytes by its key and hash.</summary>
    internal bool TryGetShort(Vector128<byte> key, int length, ulong hash, out int id)
    {
        var slots = _slots;
        for (var i = (int)(hash >> _shift); ; i = (i + 1) & (slots.Length - 1))
        {
            ref var slot = ref slots[i];
            id = slot.Id;
            if (slot.Length == 0) return false;
            if (slot.Length == length + 1 && slot.Key == key) return true;
        }
    }

    /// <summary>The bytes of a token; empty for ids without one.</summary>
    public ReadOnlySpan<byte> BytesOf(int id)
    {
        if ((uint)id < (uint)_places.Length)
        {
            var place = _places[id];
            return place == 0 ? default : _bytes.AsSpan((int)(place >> 24), (int)(place & 0xFFFFFF) - 1);
        }

        return _distant.TryGetValue(id, out var far) ? _bytes.AsSpan(far.Offset, far.Length) : default;
    }

    /// <summary>Whether an id has a token.</summary>
    public bool Contains(int id) => (uint)id < (uint)_places.Length ? _places[id] != 0 : _distant.ContainsKey(id);

    /// <summary>The token of an id as text; null for ids without one.</summary>
    public string? TextOf(int id)
    {
        if (!Contains(id)) return null;
        if ((uint)id >= (uint)_places.Length) return Encoding.UTF8.GetString(BytesOf(id));
        // Made when first asked for; two threads may make the same.
        var texts = _texts;
        if (texts.Length < _places.Length) _texts = texts = new string?[_places.Length];
        return texts[id] ??= Encoding.UTF8.GetString(BytesOf(id));
    }

    /// <summary>All ids that have a token, in order.</summary>
    public IEnumerable<int> Ids
    {
        get
        {
            for (var id = 0; id < _places.Length; id++)
            {
                if (_places[id] != 0) yield return id;
            }

            foreach (var id in _distant.Keys.Order()) yield return id;
        }
    }

    /// <summary>The first 16 bytes, zero beyond the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<byte> Load(ReadOnlySpan<byte> token)
    {
        ref var first = ref MemoryMarshal.GetReference(token);
        if (token.Length >= 16) return Vector128.LoadUnsafe(ref first);
        ulong low = 0, high = 0;
        if (token.Length >= 8)
        {
            low = Unsafe.ReadUnaligned<ulong>(ref first);
            // The last eight bytes, moved down so that the overlap falls out.
            if (token.Length > 8) high = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref first, token.Length - 8)) >> (16 - token.Length) * 8;
        }
        else if (token.Length >= 4)
        {
            low = Unsafe.ReadUnaligned<uint>(ref first) | (ulong)Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref first, token.Length - 4)) << (token.Length - 4) * 8;
        }
        else
        {
            for (var i = 0; i < token.Length; i++) low |= (ulong)token[i] << i * 8;
        }

        return Vector128.Create(low, high).AsByte();
    }

    /// <summary>A hash of a key and its length, in the high bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Hash(Vector128<byte> key, int length)
    {
        var halves = key.AsUInt64();
        var h = (halves.GetElement(0) + (ulong)length) * 0x9E3779B97F4A7C15UL;
        h ^= h >> 29;
        h = (h ^ halves.GetElement(1)) * 0xBF58476D1CE4E5B9UL;
        return (h ^ h >> 32) * 0x94D049BB133111EBUL;
    }

    /// <summary>A hash of a string of any length.</summary>
    internal static ulong HashLong(ReadOnlySpan<byte> token)
    {
        var h = (ulong)token.Length * 0x9E3779B97F4A7C15UL;
        for (; token.Length >= 8; token = token[8..]) h = (BitOperations.RotateLeft(h, 23) ^ MemoryMarshal.Read<ulong>(token)) * 0xBF58476D1CE4E5B9UL;
        foreach (var b in token) h = (h ^ b) * 0x100000001B3UL;
        return h ^ h >> 31;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> KeyOf(ReadOnlySpan<byte> token, int place) =>
        token.Length <= 16 ? Load(token) : Vector128.Create(HashLong(token), (ulong)place).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong HashOf(ReadOnlySpan<byte> token, Vector128<byte> key) => token.Length <= 16 ? Hash(key, token.Length) : LongHash(key);

    private static ulong LongHash(Vector128<byte> key) => key.AsUInt64().GetElement(0) * 0x94D049BB133111EBUL;

    // Two bits of one word for each token; the table has twice as many slots as tokens, the filter a word for sixteen slots.
    private static ulong Bits(ulong hash) => 1UL << (int)(hash & 63) | 1UL << (int)(hash >> 6 & 63);

    private void Mark(ulong hash) => _filter[(int)(hash >> _filterShift)] |= Bits(hash);

    private ref Slot FindSlot(ReadOnlySpan<byte> token, Vector128<byte> key) => ref FindSlot(token, key, HashOf(token, key));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Slot FindSlot(ReadOnlySpan<byte> token, Vector128<byte> key, ulong hash)
    {
        var isShort = token.Length <= 16;
        var slots = _slots;
        for (var i = (int)(hash >> _shift); ; i = (i + 1) & (slots.Length - 1))
        {
            ref var slot = ref slots[i];
            if (slot.Length == 0) return ref slot;
            if (slot.Length != token.Length + 1) continue;
            if (isShort ? slot.Key == key : IsSameLong(slot.Key, key, token)) return ref slot;
        }
    }

    private bool IsSameLong(Vector128<byte> stored, Vector128<byte> key, ReadOnlySpan<byte> token)
    {
        var (a, b) = (stored.AsUInt64(), key.AsUInt64());
        return a.GetElement(0) == b.GetElement(0) && _bytes.AsSpan((int)a.GetElement(1), token.Length).SequenceEqual(token);
    }

    private int Store(ReadOnlySpan<byte> token)
    {
        if (_used + token.Length > _bytes.Length) Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _used + token.Length));
        token.CopyTo(_bytes.AsSpan(_used));
        _used += token.Length;
        return _used - token.Length;
    }

    private void SetPlace(int id, int place, int length)
    {
        const int Sparse = 1 << 24; // ids beyond are kept one by one
        if (id >= _places.Length && id < Sparse) Array.Resize(ref _places, Math.Min(Sparse, Math.Max(id + 1, _places.Length * 2)));
        if (id < _places.Length) _places[id] = (long)place << 24 | (uint)(length + 1);
        else _distant[id] = (place, length);
    }

    private void Grow()
    {
        var old = _slots;
        _slots = new Slot[old.Length * 2];
        _shift--;
        MakeFilter();
        foreach (ref readonly var slot in old.AsSpan())
        {
            if (slot.Length == 0) continue;
            var hash = slot.Length <= 17 ? Hash(slot.Key, slot.Length - 1) : LongHash(slot.Key);
            Mark(hash);
            var i = (int)(hash >> _shift);
            while (_slots[i].Length != 0) i = (i + 1) & (_slots.Length - 1);
            _slots[i] = slot;
        }
    }

    private void MakeFilter()
    {
        var words = Math.Max(2, _slots.Length / 16);
        _filter = new ulong[words];
        _filterShift = 64 - BitOperations.Log2((uint)words);
    }
}
