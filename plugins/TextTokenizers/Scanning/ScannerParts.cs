using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Plugins.TextTokenizers.Scanning;

/// <summary>What the patterns share.</summary>
internal static class ScannerParts
{
    /// <summary>The end of a run of letters.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int LetterRun(ReadOnlySpan<byte> text, int position)
    {
        while (position + Vector256<byte>.Count <= text.Length)
        {
            var block = Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(text), (nuint)position);
            var letters = Vector256.LessThan((block | Vector256.Create((byte)0x20)) - Vector256.Create((byte)'a'), Vector256.Create((byte)26)).ExtractMostSignificantBits();
            if (letters != uint.MaxValue)
            {
                position += BitOperations.TrailingZeroCount(~letters);
                return text[position] < 0x80 ? position : ClassRun(text, position, CodePointClasses.Letter);
            }

            position += Vector256<byte>.Count;
        }

        return ClassRun(text, position, CodePointClasses.Letter);
    }

    /// <summary>The end of a run of code points of a class.</summary>
    public static int ClassRun(ReadOnlySpan<byte> text, int position, byte classes)
    {
        while (position < text.Length && (CodePointClasses.At(text, position, out var length) & classes) != 0) position += length;
        return position;
    }

    /// <summary>The end of a run of code points of none of the classes.</summary>
    public static int OtherRun(ReadOnlySpan<byte> text, int position)
    {
        while (position < text.Length && (CodePointClasses.At(text, position, out var length) & (CodePointClasses.Letter | CodePointClasses.Number | CodePointClasses.Space)) == 0) position += length;
        return position;
    }

    /// <summary>The end of up to so many numbers.</summary>
    public static int Digits(ReadOnlySpan<byte> text, int position, int most)
    {
        for (; most > 0 && position < text.Length && (CodePointClasses.At(text, position, out var length) & CodePointClasses.Number) != 0; most--) position += length;
        return position;
    }

    /// <summary>The length of the contraction at an apostrophe, or 0.</summary>
    /// <param name="text">The text.</param>
    /// <param name="position">Place of the apostrophe.</param>
    /// <param name="ignoreCase">Whether capitals count, and the long s.</param>
    public static int Contraction(ReadOnlySpan<byte> text, int position, bool ignoreCase)
    {
        var rest = text[(position + 1)..];
        if (rest.IsEmpty) return 0;
        if (ignoreCase && rest.StartsWith("\u017F"u8)) return 3;
        return Contraction(rest[0], rest.Length < 2 ? 0 : rest[1], ignoreCase);
    }

    /// <summary>The length of the contraction of an apostrophe and these bytes, or 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Contraction(int first, int second, bool ignoreCase)
    {
        if (ignoreCase) (first, second) = (first | 0x20, second | 0x20);
        if (first is 's' or 't' or 'm' or 'd') return 2;
        return (first, second) is ('l', 'l') or ('v', 'e') or ('r', 'e') ? 3 : 0;
    }

    /// <summary>The end of white space by <c>\s+(?!\S)|\s+</c>: all but the last code point, where something else follows.</summary>
    public static int Space(ReadOnlySpan<byte> text, int start)
    {
        var end = SpaceRun(text, start, out var last, out _);
        return end == text.Length || last == start ? end : last;
    }

    /// <summary>The end of white space, line ends going with what stands before them: <c>\s*[\r\n]+|\s+(?!\S)|\s+</c>.</summary>
    /// <param name="text">The text.</param>
    /// <param name="start">Where it starts.</param>
    /// <param name="takesSpaceAtEnd">Whether white space up to the end of the text is one piece.</param>
    public static int SpaceWithNewlines(ReadOnlySpan<byte> text, int start, bool takesSpaceAtEnd)
    {
        var end = SpaceRun(text, start, out var last, out var newline);
        if (end == text.Length && (takesSpaceAtEnd || newline < 0)) return end;
        if (newline >= 0) return newline + 1;
        return last == start ? end : last;
    }

    private static int SpaceRun(ReadOnlySpan<byte> text, int position, out int last, out int newline)
    {
        last = position;
        newline = -1;
        while (position < text.Length)
        {
            // Long indentation, eight spaces at a time.
            while (position + 8 <= text.Length && MemoryMarshal.Read<ulong>(text[position..]) == 0x2020202020202020UL)
            {
                position += 8;
                last = position - 1;
            }

            if (position >= text.Length) break;
            var classes = CodePointClasses.At(text, position, out var length);
            if ((classes & CodePointClasses.Space) == 0) break;
            if ((classes & CodePointClasses.Newline) != 0) newline = position;
            last = position;
            position += length;
        }

        return position;
    }
}
