using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>A byte string of up to 15 bytes as one number: the bytes, zeros, and in the last byte its length and kind. Never zero, so that zero marks what is free.</summary>
internal readonly struct PieceKey(ulong low, ulong high)
{
    /// <summary>Longest string that has a key.</summary>
    public const int MaxLength = 15;

    /// <summary>Kind of pieces and tokens.</summary>
    public const int Whole = 0x10;

    /// <summary>Kind of parts of pieces, whose tokens are not those of a piece of the same bytes.</summary>
    public const int Part = 0x20;

    public ulong Low { get; } = low;

    public ulong High { get; } = high;

    /// <summary><see cref="Whole"/> or <see cref="Part"/>.</summary>
    public int Kind => (int)(High >> 56) & (Whole | Part);

    /// <summary>Whether it is no key.</summary>
    public bool IsNone => High == 0;

    private static ReadOnlySpan<ulong> LowMasks =>
    [
        0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFFFFFFFFFFFFFF,
        ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue,
    ];

    private static ReadOnlySpan<ulong> HighMasks =>
    [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFFFFFFFFFFFFFF,
    ];

    /// <summary>The key of a string behind which 16 bytes are readable.</summary>
    /// <param name="first">Its first byte.</param>
    /// <param name="length">Its length, at most <see cref="MaxLength"/>.</param>
    /// <param name="kind"><see cref="Whole"/> or <see cref="Part"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PieceKey At(ref readonly byte first, int length, int kind)
    {
        ref var start = ref Unsafe.AsRef(in first);
        var low = Unsafe.ReadUnaligned<ulong>(ref start) & Unsafe.Add(ref MemoryMarshal.GetReference(LowMasks), length);
        var high = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref start, 8)) & Unsafe.Add(ref MemoryMarshal.GetReference(HighMasks), length);
        return new(low, high | (ulong)(length | kind) << 56);
    }

    /// <summary>The key of any string of at most <see cref="MaxLength"/> bytes.</summary>
    public static PieceKey Of(ReadOnlySpan<byte> text, int kind)
    {
        Span<byte> padded = stackalloc byte[16];
        padded.Clear();
        text.CopyTo(padded);
        return At(ref padded[0], text.Length, kind);
    }

    /// <summary>A hash, best in the high bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Hash()
    {
        var (left, right) = (Low ^ 0x9E3779B97F4A7C15UL, High ^ 0xBF58476D1CE4E5B9UL);
        // The halves of the product one by one: the instruction that gives both leaves one of them in memory.
        var high = Bmi2.X64.IsSupported ? Bmi2.X64.MultiplyNoFlags(left, right) : Math.BigMul(left, right, out _);
        return (high ^ left * right) * 0x94D049BB133111EBUL;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsSame(in PieceKey other) => ((Low ^ other.Low) | (High ^ other.High)) == 0;
}
