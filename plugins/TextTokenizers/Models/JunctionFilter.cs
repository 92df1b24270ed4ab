using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// Knows between which characters no token of a vocabulary reaches. Merging never crosses such a junction, so that a long piece (Chinese, emoji) falls apart into short ones, which repeat.
/// A token that crosses a junction either holds both characters whole (their pair is in a Bloom filter), or begins or ends inside one of them (the two bytes at the junction are marked).
/// </summary>
internal sealed class JunctionFilter
{
    private readonly ulong[] _partial = new ulong[0x10000 / 64];  // by the bytes before and after
    private readonly ulong[] _pairs;
    private readonly int _shift;

    public JunctionFilter(TokenTable vocabulary)
    {
        var words = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(vocabulary.Count / 8, 64, 1 << 16));
        _pairs = new ulong[words];
        _shift = 64 - BitOperations.Log2((uint)words);
        foreach (var id in vocabulary.Ids) Add(vocabulary.BytesOf(id));
    }

    /// <summary>The next junction that no token reaches across; the length of the piece when there is none.</summary>
    /// <param name="piece">UTF-8; bytes that are none are never cut from their neighbours.</param>
    /// <param name="position">Where to go on from; then the character behind the junction.</param>
    /// <param name="before">The character before that place, as a number; 0 at first.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Next(ReadOnlySpan<byte> piece, ref int position, ref uint before)
    {
        while (position < piece.Length)
        {
            var junction = position;
            var last = before;
            before = Character(piece, junction, out var length);
            position += length;
            if (last == 0 || before == 0) continue;
            var (left, right) = (piece[junction - 1], piece[junction]);
            if ((left | right) >= 0x80 && !IsPartial(left, right) && !HasPair(last, before)) return junction;
        }

        return piece.Length;
    }

    private void Add(ReadOnlySpan<byte> token)
    {
        if (System.Text.Ascii.IsValid(token)) return;   // ASCII characters are never cut from each other
        var before = Character(token, 0, out var position);
        while (position < token.Length)
        {
            var after = Character(token, position, out var length);
            if (before == 0 || after == 0) _partial[(token[position - 1] << 8 | token[position]) / 64] |= 1UL << (token[position] & 63);
            else if ((token[position - 1] | token[position]) >= 0x80) MarkPair(before, after);
            before = after;
            position += length;
        }
    }

    // The bytes of a character as a number; 0 for a byte that begins none, or whose character is cut short.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Character(ReadOnlySpan<byte> bytes, int position, out int length)
    {
        uint first = bytes[position];
        length = 1;
        if (first < 0x80) return first + 1;
        var four = bytes.Length - position >= 4 ? BinaryPrimitives.ReadUInt32BigEndian(bytes[position..]) : Last(bytes[position..]);
        var wanted = BitOperations.LeadingZeroCount(~four);
        var others = 32 - 8 * wanted;   // bits of the bytes behind the character
        if (first is < 0xC2 or > 0xF4 || ((four ^ 0x00808080) & 0x00C0C0C0) >> others != 0) return 0;
        length = wanted;
        return four >> others;
    }

    private static uint Last(ReadOnlySpan<byte> bytes)
    {
        var four = 0U;
        for (var i = 0; i < bytes.Length; i++) four |= (uint)bytes[i] << 24 - 8 * i;
        return four;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsPartial(byte left, byte right) => (_partial[(left << 8 | right) / 64] >> (right & 63) & 1) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool HasPair(uint before, uint after)
    {
        var hash = Hash(before, after);
        var bits = Bits(hash);
        return (_pairs[(int)(hash >> _shift)] & bits) == bits;
    }

    private void MarkPair(uint before, uint after)
    {
        var hash = Hash(before, after);
        _pairs[(int)(hash >> _shift)] |= Bits(hash);
    }

    private static ulong Bits(ulong hash) => 1UL << (int)(hash & 63) | 1UL << (int)(hash >> 6 & 63);

    private static ulong Hash(uint before, uint after)
    {
        var h = ((ulong)before << 32 | after) * 0x9E3779B97F4A7C15UL;
        return (h ^ h >> 32) * 0xBF58476D1CE4E5B9UL;
    }
}
