using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Plugins.TextTokenizers.Scanning;

/// <summary>
/// The 64 bytes from the start of a piece on, told apart at once: masks with a bit for each byte, all bits of a character being equal. Then "preceded by" is a shift, and where pieces start comes out for all of them together.
/// No pattern looks back across the start of a piece, so that a block needs to know nothing of the text before it.
/// </summary>
internal ref struct CharacterBlock
{
    /// <summary>Bytes of a block, which must be readable.</summary>
    public const int Size = 64;

    private const byte Continuation = 0x80; // 10xxxxxx

    private readonly ref byte _first;
    private ulong _upper;  // may stand among capitals
    private ulong _lower;  // may stand among small letters
    private ulong _letters;

    /// <summary>Tells the characters apart from a place on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public CharacterBlock(ReadOnlySpan<byte> text, int start)
    {
        _first = ref Unsafe.Add(ref MemoryMarshal.GetReference(text), start);
        Known = Math.Min(text.Length - start, Size);
        var bytes = Vector512.LoadUnsafe(ref _first);
        _upper = Range(bytes, (byte)'A', 26);
        _lower = Range(bytes, (byte)'a', 26);
        _letters = _upper | _lower;
        Numbers = Range(bytes, (byte)'0', 10);
        Spaces = Is(bytes, (byte)' ');
        Newlines = Is(bytes, (byte)'\n') | Is(bytes, (byte)'\r');
        Blanks = Spaces | (Range(bytes, (byte)'\t', 5) & ~Newlines);
        Apostrophes = Is(bytes, (byte)'\'');
        Slashes = Is(bytes, (byte)'/');
        var wide = bytes.ExtractMostSignificantBits();
        if (wide != 0) AddWide(text, start, bytes, wide);
    }

    /// <summary>How many bytes are told apart: up to the end of the text, or to a character that is left to the slow way.</summary>
    public int Known { get; private set; }

    /// <summary>Letters (L).</summary>
    public readonly ulong Letters => _letters;

    /// <summary>Capitals: Lu, Lt.</summary>
    public readonly ulong Capitals => _upper & ~_lower;

    /// <summary>Small letters: Ll.</summary>
    public readonly ulong SmallLetters => _lower & ~_upper;

    /// <summary>Marks, and letters without case: M, Lm, Lo.</summary>
    public readonly ulong Caseless => _upper & _lower;

    /// <summary>Letters and marks.</summary>
    public readonly ulong Words => _upper | _lower;

    /// <summary>ASCII digits.</summary>
    public ulong Numbers { get; }

    /// <summary>U+0020.</summary>
    public ulong Spaces { get; }

    /// <summary>White space but line ends.</summary>
    public ulong Blanks { get; }

    /// <summary>Carriage return and line feed.</summary>
    public ulong Newlines { get; }

    /// <summary>Apostrophes.</summary>
    public ulong Apostrophes { get; }

    /// <summary>Slashes.</summary>
    public ulong Slashes { get; }

    /// <summary>Bytes that go on with a character.</summary>
    public ulong Continuations { get; private set; }

    /// <summary>The byte at a place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly byte At(int place) => Unsafe.Add(ref _first, place);

    /// <summary>Leaves what stands from a place on to the slow way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Forget(int place) => Known = Math.Min(Known, place);

    /// <summary>A mask that holds for the first byte of characters, for all their bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ulong Spread(ulong mask)
    {
        if (Continuations == 0) return mask;
        mask &= ~Continuations;
        mask |= mask << 1 & Continuations;
        return mask | (mask << 1 & Continuations) | (mask << 2 & Continuations & Continuations << 1);
    }

    // White space and numbers beyond ASCII are rare, and left to the slow way.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddWide(ReadOnlySpan<byte> text, int start, Vector512<byte> bytes, ulong wide)
    {
        Continuations = Vector512.LessThan(bytes.AsSByte(), Vector512.Create(unchecked((sbyte)(Continuation | 0x40)))).ExtractMostSignificantBits();
        for (var leads = wide & ~Continuations; leads != 0; leads &= leads - 1)
        {
            var place = BitOperations.TrailingZeroCount(leads);
            if (place >= Known) return;
            var classes = CodePointClasses.At(text, start + place, out var length);
            if (place + length > Known || (classes & (CodePointClasses.Space | CodePointClasses.Number)) != 0)
            {
                Known = place;
                return;
            }

            var bits = (1UL << length) - 1 << place;
            _upper |= bits & (ulong)-(classes & CodePointClasses.Upper);
            _lower |= bits & (ulong)-(classes >> 1 & 1);
            _letters |= bits & (ulong)-(classes >> 2 & 1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Is(Vector512<byte> bytes, byte value) => Vector512.Equals(bytes, Vector512.Create(value)).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Range(Vector512<byte> bytes, byte first, byte count) => Vector512.LessThan(bytes - Vector512.Create(first), Vector512.Create(count)).ExtractMostSignificantBits();
}
