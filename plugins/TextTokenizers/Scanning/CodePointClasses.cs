using System.Globalization;
using System.Runtime.CompilerServices;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Scanning;

/// <summary>What the well-known patterns ask of a code point, in one look-up.</summary>
internal static class CodePointClasses
{
    /// <summary>Lu, Lt, Lm, Lo, M.</summary>
    public const byte Upper = 1;

    /// <summary>Ll, Lm, Lo, M.</summary>
    public const byte Lower = 2;

    /// <summary>L.</summary>
    public const byte Letter = 4;

    /// <summary>N.</summary>
    public const byte Number = 8;

    /// <summary>White_Space.</summary>
    public const byte Space = 16;

    /// <summary>Carriage return and line feed.</summary>
    public const byte Newline = 32;

    private const int Planes = 0x20000; // the first two: nearly everything that is written

    private static readonly byte[] Basic = MakeBasic();

    /// <summary>The classes of the code point at a place, and its length in bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte At(ReadOnlySpan<byte> text, int position, out int length)
    {
        var b = text[position];
        if (b < 0x80)
        {
            length = 1;
            return Basic[b];
        }

        return AtWide(text, position, out length);
    }

    private static byte AtWide(ReadOnlySpan<byte> text, int position, out int length)
    {
        var c = CodePoints.Decode(text, position, out length);
        return c < Planes ? Basic[c] : Compute(c);
    }

    private static byte[] MakeBasic()
    {
        var result = new byte[Planes];
        for (var c = 0; c < result.Length; c++) result[c] = Compute(c);
        return result;
    }

    private static byte Compute(int c) => CharUnicodeInfo.GetUnicodeCategory(c) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => Upper | Letter,
        UnicodeCategory.LowercaseLetter => Lower | Letter,
        UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Upper | Lower | Letter,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => Upper | Lower,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
        _ => (byte)((CodePoints.IsWhiteSpace(c) ? Space : 0) | (c is '\r' or '\n' ? Newline : 0)),
    };
}
