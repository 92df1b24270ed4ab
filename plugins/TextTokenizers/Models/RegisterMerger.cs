using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// Merges pieces of up to <see cref="MaxLength"/> bytes by rank, where any two neighbours merge that spell a token together, or those of a list of merges that comes to the same. For each symbol its merge with the next is in a lane of a register, by the place of the symbol's first byte:
/// the rank, which is the id, and below it the place. So the lowest lane tells all about the merge that comes next.
/// </summary>
internal sealed class RegisterMerger
{
    /// <summary>Longest piece, in bytes: their starts and the end are the bits of a word.</summary>
    public const int MaxLength = 63;

    private const int PlaceBits = 6;

    private readonly TokenTable _vocabulary;
    private readonly TokenIndex _tokens;
    private readonly int _noMerge;
    private readonly int[] _byteIds;
    private readonly int[] _bytePairs = new int[0x10000];   // merges, by two bytes as they stand in memory
    private readonly ulong[]? _splits;

    /// <summary>A merger.</summary>
    /// <param name="vocabulary">The vocabulary, whose ids are the ranks.</param>
    /// <param name="tokens">Its index.</param>
    /// <param name="byteIds">The ids of all bytes.</param>
    /// <param name="bytePairs">The ids of two bytes, the first of which is the high one; where they do not merge, negative.</param>
    /// <param name="splits">The <see cref="ListedSplits"/> of a list of merges; null where all merge that spell a token.</param>
    public RegisterMerger(TokenTable vocabulary, TokenIndex tokens, int[] byteIds, IEnumerable<int> bytePairs, ulong[]? splits)
    {
        (_vocabulary, _tokens, _byteIds, _splits, _noMerge) = (vocabulary, tokens, byteIds, splits, tokens.None << PlaceBits);
        var pair = 0;
        foreach (var id in bytePairs)
        {
            var inMemory = BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness((ushort)pair) : pair;
            _bytePairs[inMemory] = id < 0 ? _noMerge : id << PlaceBits;
            pair++;
        }
    }

    /// <summary>Writes the ids of a piece.</summary>
    /// <param name="first">Its first byte; 16 bytes behind the piece must be readable.</param>
    /// <param name="length">Its length.</param>
    /// <param name="output">Room for as many ids as there are bytes.</param>
    /// <returns>How many ids there are; -1, which is rare, when the index cannot tell, or the list has not two neighbours that spell a token.</returns>
    public int Merge(ref byte first, int length, ref int output) => _splits is null ? Merge<AnySplit>(ref first, length, ref output) : Merge<ListedSplit>(ref first, length, ref output);

    private int Merge<TSplit>(ref byte first, int length, ref int output) where TSplit : struct, ISplit => length switch
    {
        <= PieceKey.MaxLength => Merge<OneRegister, TSplit>(ref first, length, ref output),
        < 2 * OneRegister.Count => Merge<TwoRegisters, TSplit>(ref first, length, ref output),
        _ => Merge<FourRegisters, TSplit>(ref first, length, ref output),
    };

    [SkipLocalsInit]
    private int Merge<TLanes, TSplit>(ref byte first, int length, ref int output) where TLanes : struct, ILanes<TLanes> where TSplit : struct, ISplit
    {
        var tokens = _tokens.Open();
        var noMerge = _noMerge;
        ref var byteIds = ref MemoryMarshal.GetArrayDataReference(_byteIds);
        ref var bytePairs = ref MemoryMarshal.GetArrayDataReference(_bytePairs);
        Span<int> memory = stackalloc int[2 * TLanes.Count];
        ref var merge = ref MemoryMarshal.GetReference(memory);
        ref var symbol = ref Unsafe.Add(ref merge, TLanes.Count);
        for (var i = 0; i < TLanes.Count; i += OneRegister.Count) Vector512.Create(noMerge).StoreUnsafe(ref merge, (nuint)i);
        Unsafe.Add(ref symbol, length - 1) = Unsafe.Add(ref byteIds, Unsafe.Add(ref first, length - 1));
        for (nint i = 0; i < length - 1; i++)
        {
            Unsafe.Add(ref symbol, i) = Unsafe.Add(ref byteIds, Unsafe.Add(ref first, i));
            Unsafe.Add(ref merge, i) = Unsafe.Add(ref bytePairs, Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref first, i))) | (int)i;
        }

        var merges = TLanes.Load(ref merge);
        var starts = (2UL << length) - 1;   // of symbols, and the end
        while (true)
        {
            var lowest = merges.Lowest();
            if (lowest >= noMerge) break;
            var left = lowest & (1 << PlaceBits) - 1;
            Unsafe.Add(ref symbol, left) = lowest >> PlaceBits;
            var behind = starts & (ulong)(-2L << left);
            var right = BitOperations.TrailingZeroCount(behind);
            if (!TSplit.Holds(_splits, lowest >> PlaceBits, right - left)) return -1;
            starts ^= 1UL << right;
            behind &= behind - 1;
            var end = BitOperations.TrailingZeroCount(behind);
            var after = BitOperations.TrailingZeroCount(behind & (behind - 1));   // 64 behind the last symbol
            var before = BitOperations.Log2((starts & ((1UL << left) - 1)) | 1);
            // Where there is no neighbour, a length of 0 is looked up in vain.
            var nextLength = (after - left) & (after - 64) >> 31;
            var previousLength = (end - before) & -left >> 31;
            var next = PieceKey.At(ref Unsafe.Add(ref first, left), TLanes.Count == OneRegister.Count ? nextLength : Short(nextLength), PieceKey.Whole);
            var previous = PieceKey.At(ref Unsafe.Add(ref first, before), TLanes.Count == OneRegister.Count ? previousLength : Short(previousLength), PieceKey.Whole);
            var nextMerge = tokens.Find(next.Hash());
            var previousMerge = tokens.Find(previous.Hash());
            if (!(tokens.IsSure(nextMerge.ToScalar(), next) & tokens.IsSure(previousMerge.ToScalar(), previous))) return -1;
            if (TLanes.Count > OneRegister.Count)
            {
                if (nextLength > PieceKey.MaxLength) nextMerge = FindLong(ref Unsafe.Add(ref first, left), nextLength);
                if (previousLength > PieceKey.MaxLength) previousMerge = FindLong(ref Unsafe.Add(ref first, before), previousLength);
            }

            merges = merges.With(right, Vector128.CreateScalarUnsafe(noMerge));
            merges = merges.With(before, Merge(previousMerge, before));
            merges = merges.With(left, Merge(nextMerge, left));     // the first symbol has none before it
        }

        var count = 0;
        for (starts &= ~(1UL << length); starts != 0; starts &= starts - 1) Unsafe.Add(ref output, count++) = Unsafe.Add(ref symbol, BitOperations.TrailingZeroCount(starts));
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Merge(Vector128<uint> id, int place) => id.AsInt32() << PlaceBits | Vector128.Create(place);

    // The length, if it is that of a key.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Short(int length) => length & (length - (PieceKey.MaxLength + 1)) >> 31;

    private Vector128<uint> FindLong(ref byte first, int length) =>
        Vector128.CreateScalarUnsafe((uint)(_vocabulary.TryGetRare(in first, length, out var id) ? id : _tokens.None));

    private interface ISplit
    {
        /// <summary>Whether a token is made of a left one of that length and a right one.</summary>
        static abstract bool Holds(ulong[]? splits, int id, int leftLength);
    }

    private readonly struct AnySplit : ISplit
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(ulong[]? splits, int id, int leftLength) => true;
    }

    private readonly struct ListedSplit : ISplit
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(ulong[]? splits, int id, int leftLength) => (splits![id] >> leftLength & 1) != 0;
    }

    private interface ILanes<TSelf>
    {
        static abstract int Count { get; }

        static abstract TSelf Load(ref int first);

        TSelf With(int place, Vector128<int> value);

        int Lowest();
    }

    private readonly struct OneRegister(Vector512<int> lanes) : ILanes<OneRegister>
    {
        public const int Count = 16;

        private readonly Vector512<int> _lanes = lanes;

        static int ILanes<OneRegister>.Count => Count;

        public static OneRegister Load(ref int first) => new(Vector512.LoadUnsafe(ref first));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public OneRegister With(int place, Vector128<int> value) => new(RegisterMerger.With(_lanes, 0, place, value));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public int Lowest() => RegisterMerger.Lowest(_lanes);
    }

    private readonly struct TwoRegisters(Vector512<int> low, Vector512<int> high) : ILanes<TwoRegisters>
    {
        private readonly Vector512<int> _low = low;
        private readonly Vector512<int> _high = high;

        static int ILanes<TwoRegisters>.Count => 2 * OneRegister.Count;

        public static TwoRegisters Load(ref int first) => new(Vector512.LoadUnsafe(ref first), Vector512.LoadUnsafe(ref first, OneRegister.Count));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TwoRegisters With(int place, Vector128<int> value) => new(RegisterMerger.With(_low, 0, place, value), RegisterMerger.With(_high, OneRegister.Count, place, value));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public int Lowest() => RegisterMerger.Lowest(Vector512.Min(_low, _high));
    }

    private readonly struct FourRegisters(TwoRegisters low, TwoRegisters high) : ILanes<FourRegisters>
    {
        private readonly TwoRegisters _low = low;
        private readonly TwoRegisters _high = high;

        static int ILanes<FourRegisters>.Count => 4 * OneRegister.Count;

        public static FourRegisters Load(ref int first) => new(TwoRegisters.Load(ref first), TwoRegisters.Load(ref Unsafe.Add(ref first, 2 * OneRegister.Count)));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public FourRegisters With(int place, Vector128<int> value) => new(_low.With(place, value), _high.With(place - 2 * OneRegister.Count, value));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public int Lowest() => Math.Min(_low.Lowest(), _high.Lowest());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> With(Vector512<int> lanes, int start, int place, Vector128<int> value) =>
        Vector512.ConditionalSelect(Vector512.Equals(Vector512<int>.Indices, Vector512.Create(place - start)), Broadcast(value), lanes);

    // The first element, without a way through memory or a general register.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Broadcast(Vector128<int> value) => Avx512F.IsSupported ? Avx512F.BroadcastScalarToVector512(value) : Vector512.Create(value.ToScalar());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Lowest(Vector512<int> lanes)
    {
        var half = Vector256.Min(lanes.GetLower(), lanes.GetUpper());
        var quarter = Vector128.Min(half.GetLower(), half.GetUpper());
        quarter = Vector128.Min(quarter, Vector128.Shuffle(quarter, Vector128.Create(2, 3, 0, 1)));
        return Vector128.Min(quarter, Vector128.Shuffle(quarter, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }
}
