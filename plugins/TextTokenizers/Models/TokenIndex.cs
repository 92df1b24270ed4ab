using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// The ids of a vocabulary's tokens of up to <see cref="PieceKey.MaxLength"/> bytes, four bytes a token, so that the processor's own cache holds it: the id, and above it as many bits of the token's hash as there is room for.
/// A token is in one of two buckets of four, both of which are looked at at once. What is found is compared with the token's bytes, but nobody has to wait for that: it is that token nearly always.
/// </summary>
internal sealed class TokenIndex
{
    private const int MostIdBits = 20;
    private const int SlotsPerBucket = 4;
    private const double Load = 0.8;
    private const int MostMoves = 500;

    private readonly CacheLines<Vector512<uint>> _slots;
    private readonly PieceKey[] _keys;  // by id
    private readonly uint _idMask;
    private readonly int _shift;

    private TokenIndex(int idLimit, int count)
    {
        var idBits = BitOperations.Log2((uint)idLimit) + 1;     // the largest number of so many bits is no id
        _idMask = (1U << idBits) - 1;
        _keys = new PieceKey[1 << idBits];
        var buckets = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(SlotsPerBucket, count / (SlotsPerBucket * Load)));
        _shift = 64 - BitOperations.Log2((uint)buckets);
        _slots = new(buckets / SlotsPerBucket);
        for (var i = 0; i < _slots.Count; i++) _slots.At(i) = Vector512<uint>.AllBitsSet;
    }

    /// <summary>The index of a vocabulary; null when its ids are too large for one.</summary>
    public static TokenIndex? Create(TokenTable vocabulary)
    {
        if (vocabulary.IdLimit >= 1 << MostIdBits) return null;
        var index = new TokenIndex(vocabulary.IdLimit, vocabulary.Count);
        return vocabulary.ShortTokens().All(token => index.Add(token.Key, token.Id)) ? index : null;
    }

    /// <summary>Where there is no token; larger than any id.</summary>
    public int None => (int)_idMask;

    /// <summary>What is needed to look tokens up.</summary>
    public Reader Open() => new(this);

    /// <summary>Has the lines fetched in which a token of that hash would be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(ulong hash)
    {
        _slots.Prefetch(First(hash, _shift) / SlotsPerBucket);
        _slots.Prefetch(Second(hash, _shift) / SlotsPerBucket);
    }

    private bool Add(in PieceKey key, int id)
    {
        _keys[id] = key;
        var hash = key.Hash();
        var slot = ((uint)hash & ~_idMask) | (uint)id;
        var place = First(hash, _shift);
        if (TryPut(place, slot) || TryPut(Second(hash, _shift), slot)) return true;
        for (var move = 0; move < MostMoves; move++)
        {
            // Whoever is here moves to its other bucket.
            ref var stored = ref Unsafe.Add(ref Slots(place), move % SlotsPerBucket);
            (stored, slot) = (slot, stored);
            hash = _keys[slot & _idMask].Hash();
            place = place == First(hash, _shift) ? Second(hash, _shift) : First(hash, _shift);
            if (TryPut(place, slot)) return true;
        }

        return false;
    }

    private bool TryPut(nint bucket, uint slot)
    {
        ref var slots = ref Slots(bucket);
        for (var i = 0; i < SlotsPerBucket; i++)
        {
            if (Unsafe.Add(ref slots, i) != uint.MaxValue) continue;
            Unsafe.Add(ref slots, i) = slot;
            return true;
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint First(ulong hash, int shift) => (nint)(hash >> shift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint Second(ulong hash, int shift) => (nint)(BitOperations.RotateLeft(hash, 22) >> shift);

    private ref uint Slots(nint bucket) => ref Unsafe.Add(ref Unsafe.As<Vector512<uint>, uint>(ref _slots.At(0)), bucket * SlotsPerBucket);

    /// <summary>Looks tokens up.</summary>
    internal readonly ref struct Reader
    {
        private readonly ref uint _slots;
        private readonly ref PieceKey _keys;
        private readonly uint _idMask;
        private readonly int _shift;

        public Reader(TokenIndex index)
        {
            _slots = ref index.Slots(0);
            _keys = ref MemoryMarshal.GetArrayDataReference(index._keys);
            (_idMask, _shift) = (index._idMask, index._shift);
        }

        /// <summary>The id of a token, or <see cref="None"/>, in all elements. It is certain when <see cref="IsSure"/> says so. There are no branches.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector128<uint> Find(ulong hash)
        {
            var tag = Vector128.Create((uint)hash & ~_idMask);
            var slots = Vector128.Min(Bucket(First(hash, _shift)) ^ tag, Bucket(Second(hash, _shift)) ^ tag);
            slots = Vector128.Min(slots, Vector128.Shuffle(slots, Vector128.Create(2U, 3, 0, 1)));
            return Vector128.Min(Vector128.Min(slots, Vector128.Shuffle(slots, Vector128.Create(1U, 0, 3, 2))), Vector128.Create(_idMask));
        }

        /// <summary>Whether what <see cref="Find"/> found is right, as it nearly always is.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool IsSure(uint found, PieceKey key)
        {
            ref var stored = ref Unsafe.Add(ref _keys, (nint)found);
            return ((stored.Low ^ key.Low | stored.High ^ key.High) & (ulong)((found - (long)_idMask) >> 63)) == 0;
        }

        /// <summary>The id of a token, or <see cref="None"/>; false, which is rare, when the index cannot tell.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool TryFind(PieceKey key, ulong hash, out int id)
        {
            var found = Find(hash).ToScalar();
            id = (int)found;
            return IsSure(found, key);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private Vector128<uint> Bucket(nint bucket) => Vector128.LoadUnsafe(ref _slots, (nuint)(bucket * SlotsPerBucket));
    }
}
