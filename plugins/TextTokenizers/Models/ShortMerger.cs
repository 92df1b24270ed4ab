using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Merges pieces of up to <see cref="PieceKey.MaxLength"/> bytes by rank, where any two neighbours merge that spell a token together. The merges that are possible are in one register, from where the lowest is taken.</summary>
internal sealed class ShortMerger
{
    private const int PlaceBits = 4;
    private const int NoMerge = TokenIndex.None << PlaceBits;

    private readonly TokenIndex _tokens;
    private readonly int[] _byteIds;
    private readonly int[] _bytePairs = new int[0x10000];   // ranks, by two bytes as they stand in memory

    /// <summary>A merger.</summary>
    /// <param name="vocabulary">The vocabulary, whose ids are the ranks.</param>
    /// <param name="tokens">Its index.</param>
    /// <param name="byteIds">The ids of all bytes.</param>
    public ShortMerger(TokenTable vocabulary, TokenIndex tokens, int[] byteIds)
    {
        (_tokens, _byteIds) = (tokens, byteIds);
        Span<byte> pair = stackalloc byte[2];
        for (var i = 0; i < _bytePairs.Length; i++)
        {
            MemoryMarshal.Write(pair, (ushort)i);
            _bytePairs[i] = (vocabulary.TryGet(pair, out var id) ? id : TokenIndex.None) << PlaceBits;
        }
    }

    /// <summary>Writes the ids of a piece.</summary>
    /// <param name="first">Its first byte; 16 bytes behind it must be readable.</param>
    /// <param name="length">Its length.</param>
    /// <param name="output">Room for as many ids as there are bytes.</param>
    /// <returns>How many ids there are; -1, which is rare, when the index cannot tell.</returns>
    [SkipLocalsInit]
    public int Merge(ref byte first, int length, ref int output)
    {
        var tokens = _tokens.Open();
        ref var byteIds = ref MemoryMarshal.GetArrayDataReference(_byteIds);
        ref var bytePairs = ref MemoryMarshal.GetArrayDataReference(_bytePairs);
        Span<int> lanes = stackalloc int[32];
        ref var lane = ref MemoryMarshal.GetReference(lanes);
        ref var symbol = ref Unsafe.Add(ref lane, 16);
        Vector512.Create(NoMerge).StoreUnsafe(ref lane);
        Unsafe.Add(ref symbol, length - 1) = Unsafe.Add(ref byteIds, Unsafe.Add(ref first, length - 1));
        for (nint i = 0; i < length - 1; i++)
        {
            Unsafe.Add(ref symbol, i) = Unsafe.Add(ref byteIds, Unsafe.Add(ref first, i));
            Unsafe.Add(ref lane, i) = Unsafe.Add(ref bytePairs, Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref first, i))) | (int)i;
        }

        var merges = Vector512.LoadUnsafe(ref lane);
        var starts = (2U << length) - 1;   // of symbols, and the end
        while (true)
        {
            var lowest = Lowest(merges);
            if (lowest >= NoMerge) break;
            var left = lowest & 15;
            Unsafe.Add(ref symbol, left) = lowest >> PlaceBits;
            var behind = starts & (uint)(-2 << left);
            var right = BitOperations.TrailingZeroCount(behind);
            starts ^= 1U << right;
            behind &= behind - 1;
            var end = BitOperations.TrailingZeroCount(behind);
            var after = BitOperations.TrailingZeroCount(behind & (behind - 1));   // 32 behind the last symbol
            var before = BitOperations.Log2((starts & ((1U << left) - 1)) | 1);
            // Where there is no neighbour, a length of 0 is looked up in vain.
            var next = PieceKey.At(ref Unsafe.Add(ref first, left), (after - left) & (after - 32) >> 31, PieceKey.Whole);
            var previous = PieceKey.At(ref Unsafe.Add(ref first, before), (end - before) & -left >> 31, PieceKey.Whole);
            if (!(tokens.TryFind(next, next.Hash(), out var nextId) & tokens.TryFind(previous, previous.Hash(), out var previousId))) return -1;
            merges = With(merges, right, NoMerge);
            merges = With(merges, before, previousId << PlaceBits | before);
            merges = With(merges, left, nextId << PlaceBits | left);     // the first symbol has none before it
        }

        var count = 0;
        for (starts &= ~(1U << length); starts != 0; starts &= starts - 1) Unsafe.Add(ref output, count++) = Unsafe.Add(ref symbol, BitOperations.TrailingZeroCount(starts));
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> With(Vector512<int> lanes, int place, int value) =>
        Vector512.ConditionalSelect(Vector512.Equals(Vector512<int>.Indices, Vector512.Create(place)), Vector512.Create(value), lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Lowest(Vector512<int> lanes)
    {
        var half = Vector256.Min(lanes.GetLower(), lanes.GetUpper());
        var quarter = Vector128.Min(half.GetLower(), half.GetUpper());
        quarter = Vector128.Min(quarter, Vector128.Shuffle(quarter, Vector128.Create(2, 3, 0, 1)));
        return Vector128.Min(quarter, Vector128.Shuffle(quarter, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }
}
