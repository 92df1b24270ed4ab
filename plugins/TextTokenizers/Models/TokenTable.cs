using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// A vocabulary: byte strings to ids and back. Open addressing over cache lines: a line holds three keys and their ids, so that a token is found in one line, and its bytes are compared without leaving it.
/// Filled once, then read from any number of threads.
/// </summary>
public sealed class TokenTable
{
    private const int TokensPerLine = 3;
    private const ulong LongKind = 0xFFUL << 56;

    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct Line
    {
        public PieceKey Key0; // zero: free, and so are those behind it; longer strings: hash, and place and length
        public PieceKey Key1;
        public PieceKey Key2;
        public int Id0;
        public int Id1;
        public int Id2;
    }

    private readonly Dictionary<int, (int Offset, int Length)> _distant = [];
    private CacheLines<Line> _lines;
    private int _lineMask;
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
        MakeLines((int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(8, capacity / 2)));
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
        if (Count + 1 > (_lineMask + 1) * 2) Grow();
        var place = Store(token);
        var key = KeyOf(token, place);
        var hash = HashOf(token, key);
        if (!Replace(token, key, hash, id))
        {
            Insert(key, hash, id);
            Mark(hash);
            Count++;
        }

        _texts = [];
        SetPlace(id, place, token.Length);
        IdLimit = Math.Max(IdLimit, id + 1);
        LongestToken = Math.Max(LongestToken, token.Length);
    }

    /// <summary>The id of a token.</summary>
    public bool TryGet(ReadOnlySpan<byte> token, out int id)
    {
        var key = KeyOf(token, 0);
        return TryGet(token, key, HashOf(token, key), out id);
    }

    /// <summary>The id of a token.</summary>
    public bool TryGet(string token, out int id)
    {
        Span<byte> utf8 = token.Length <= 85 ? stackalloc byte[256] : new byte[token.Length * 3];
        return TryGet(utf8[..Encoding.UTF8.GetBytes(token, utf8)], out id);
    }

    /// <summary>As <see cref="TryGet(ReadOnlySpan{byte}, out int)"/>, for strings that mostly are no tokens: a small filter answers for nearly all of them, where the table would have to come from memory.</summary>
    /// <param name="first">The first byte; 16 bytes behind the string must be readable.</param>
    /// <param name="length">Length of the string.</param>
    /// <param name="id">Its id.</param>
    internal bool TryGetRare(ref readonly byte first, int length, out int id)
    {
        if (length > PieceKey.MaxLength)
        {
            var token = MemoryMarshal.CreateReadOnlySpan(in first, length);
            return TryGetRare(token, HashLong(token), out id);
        }

        var key = PieceKey.At(in first, length, PieceKey.Whole);
        var hash = key.Hash();
        id = 0;
        return MayHave(hash) && TryGetShort(key, hash, out id);
    }

    /// <summary>As <see cref="TryGetRare(ref readonly byte, int, out int)"/>, for strings longer than <see cref="PieceKey.MaxLength"/>, with their <see cref="HashLong"/>.</summary>
    internal bool TryGetRare(ReadOnlySpan<byte> token, ulong longHash, out int id)
    {
        id = 0;
        if (token.Length > LongestToken) return false;
        var key = LongKey(token, longHash, 0);
        return MayHave(LongHash(key)) && TryGet(token, key, LongHash(key), out id);
    }

    /// <summary>The id of a token of up to <see cref="PieceKey.MaxLength"/> bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryGetShort(in PieceKey key, ulong hash, out int id)
    {
        ref var line = ref _lines.At((int)(hash >> _shift));
        id = line.Id0;
        return line.Key0.IsSame(key) || TryGetBehind(ref line, key, hash, out id);
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

    /// <summary>The keys of all tokens of up to <see cref="PieceKey.MaxLength"/> bytes, and their ids.</summary>
    internal IEnumerable<(PieceKey Key, int Id)> ShortTokens()
    {
        for (var i = 0; i < _lines.Count; i++)
        {
            for (var j = 0; j < TokensPerLine && Unsafe.Add(ref _lines.At(i).Key0, j) is { High: not 0 } key; j++)
            {
                if (key.High < LongKind) yield return (key, Unsafe.Add(ref _lines.At(i).Id0, j));
            }
        }
    }

    /// <summary>A hash of a string of any length.</summary>
    internal static ulong HashLong(ReadOnlySpan<byte> token)
    {
        var h = (ulong)token.Length * 0x9E3779B97F4A7C15UL;
        var rest = token;
        for (; rest.Length >= 8; rest = rest[8..]) h = Mix(h, MemoryMarshal.Read<ulong>(rest));
        if (!rest.IsEmpty && token.Length >= 8) h = Mix(h, MemoryMarshal.Read<ulong>(token[^8..]));
        else foreach (var b in rest) h = (h ^ b) * 0x100000001B3UL;
        return h ^ h >> 31;
    }

    private static ulong Mix(ulong hash, ulong eight) => (BitOperations.RotateLeft(hash, 23) ^ eight) * 0xBF58476D1CE4E5B9UL;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static PieceKey KeyOf(ReadOnlySpan<byte> token, int place) =>
        token.Length <= PieceKey.MaxLength ? PieceKey.Of(token, PieceKey.Whole) : LongKey(token, HashLong(token), place);

    private static PieceKey LongKey(ReadOnlySpan<byte> token, ulong longHash, int place) => new(longHash, LongKind | (ulong)(uint)token.Length << 32 | (uint)place);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong HashOf(ReadOnlySpan<byte> token, in PieceKey key) => token.Length <= PieceKey.MaxLength ? key.Hash() : LongHash(key);

    private static ulong LongHash(in PieceKey key) => key.Low * 0x94D049BB133111EBUL;

    private static ulong HashOf(in PieceKey key) => key.High >= LongKind ? LongHash(key) : key.Hash();

    // Two bits of one word for each token; two tokens a line, a word of the filter for eight lines.
    private static ulong Bits(ulong hash) => 1UL << (int)(hash & 63) | 1UL << (int)(hash >> 6 & 63);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool MayHave(ulong hash) => Bits(hash) is var bits && (_filter[(int)(hash >> _filterShift)] & bits) == bits;

    private void Mark(ulong hash) => _filter[(int)(hash >> _filterShift)] |= Bits(hash);

    private bool TryGetBehind(ref Line line, in PieceKey key, ulong hash, out int id)
    {
        for (var i = (int)(hash >> _shift); ; line = ref _lines.At(i))
        {
            id = line.Id0;
            if (line.Key0.IsSame(key)) return true;
            id = line.Id1;
            if (line.Key1.IsSame(key)) return true;
            id = line.Id2;
            if (line.Key2.IsSame(key)) return true;
            if (line.Key2.High == 0) return false;
            i = (i + 1) & _lineMask;
        }
    }

    private bool TryGet(ReadOnlySpan<byte> token, in PieceKey key, ulong hash, out int id)
    {
        if (token.Length <= PieceKey.MaxLength) return TryGetShort(key, hash, out id);
        for (var i = (int)(hash >> _shift); ; i = (i + 1) & _lineMask)
        {
            ref var line = ref _lines.At(i);
            for (var j = 0; j < TokensPerLine; j++)
            {
                ref var stored = ref Unsafe.Add(ref line.Key0, j);
                id = Unsafe.Add(ref line.Id0, j);
                if (stored.High == 0) return false;
                if (IsSameLong(stored, key, token)) return true;
            }
        }
    }

    private bool Replace(ReadOnlySpan<byte> token, in PieceKey key, ulong hash, int id)
    {
        if (!TryGet(token, key, hash, out _)) return false;
        for (var i = (int)(hash >> _shift); ; i = (i + 1) & _lineMask)
        {
            ref var line = ref _lines.At(i);
            for (var j = 0; j < TokensPerLine; j++)
            {
                ref var stored = ref Unsafe.Add(ref line.Key0, j);
                if (!(token.Length <= PieceKey.MaxLength ? stored.IsSame(key) : IsSameLong(stored, key, token))) continue;
                Unsafe.Add(ref line.Id0, j) = id;
                return true;
            }
        }
    }

    private void Insert(in PieceKey key, ulong hash, int id)
    {
        for (var i = (int)(hash >> _shift); ; i = (i + 1) & _lineMask)
        {
            ref var line = ref _lines.At(i);
            for (var j = 0; j < TokensPerLine; j++)
            {
                if (Unsafe.Add(ref line.Key0, j).High != 0) continue;
                Unsafe.Add(ref line.Key0, j) = key;
                Unsafe.Add(ref line.Id0, j) = id;
                return;
            }
        }
    }

    private bool IsSameLong(in PieceKey stored, in PieceKey key, ReadOnlySpan<byte> token) =>
        stored.Low == key.Low && stored.High >> 32 == key.High >> 32 && _bytes.AsSpan((int)(uint)stored.High, token.Length).SequenceEqual(token);

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
        var old = _lines;
        MakeLines((_lineMask + 1) * 2);
        for (var i = 0; i < old.Count; i++)
        {
            ref var line = ref old.At(i);
            for (var j = 0; j < TokensPerLine && Unsafe.Add(ref line.Key0, j) is { High: not 0 } key; j++)
            {
                var hash = HashOf(key);
                Insert(key, hash, Unsafe.Add(ref line.Id0, j));
                Mark(hash);
            }
        }
    }

    private void MakeLines(int count)
    {
        _lines = new(count);
        _lineMask = count - 1;
        _shift = 64 - BitOperations.Log2((uint)count);
        var words = Math.Max(2, count / 4);
        _filter = new ulong[words];
        _filterShift = 64 - BitOperations.Log2((uint)words);
    }
}
