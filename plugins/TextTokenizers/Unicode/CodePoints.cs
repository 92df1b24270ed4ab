using System.Globalization;
using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Unicode;

/// <summary>Properties of code points. The newest Unicode data are .NET's own; <c>Legacy</c> members are those of older tables that a reference library carries.</summary>
internal static class CodePoints
{
    private static readonly Lazy<Dictionary<string, UnicodeRanges>> Categories = new(() =>
        UnicodeResource.Read("categories").ToDictionary(line => line[0], line => new UnicodeRanges(UnicodeRanges.Parse(line.Skip(1)))));

    private static readonly Lazy<(int[] Starts, int[] Ends, string[] Names)> LegacyScripts = new(ReadLegacyScripts);

    private static readonly Lazy<Dictionary<string, UnicodeRanges>> Properties = new(ReadProperties);

    /// <summary>The property White_Space.</summary>
    public static bool IsWhiteSpace(int c) => c < 0x80 ? c is 0x20 or (>= 0x09 and <= 0x0D) : c < 0x10000 && char.IsWhiteSpace((char)c);

    /// <summary>General category L.</summary>
    public static bool IsLetter(int c) => CharUnicodeInfo.GetUnicodeCategory(c) <= UnicodeCategory.OtherLetter;

    /// <summary>General category N.</summary>
    public static bool IsNumber(int c) => CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>General category M.</summary>
    public static bool IsMark(int c) => CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;

    /// <summary>The property Alphabetic, together with marks, decimal digits and connectors: <c>\w</c> without the joiners.</summary>
    public static bool IsWord(int c) => CharUnicodeInfo.GetUnicodeCategory(c) switch
    {
        <= UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber => true,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => true,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation => true,
        _ => IsAlphabeticSymbol(c),
    };

    /// <summary><c>\w</c> of the Rust crate regex: <see cref="IsWord"/> and the joiners U+200C, U+200D.</summary>
    public static bool IsWordOrJoiner(int c) => c is 0x200C or 0x200D || IsWord(c);

    /// <summary><c>\w</c> of Oniguruma outside of brackets: below U+0100 it goes by a table in which superscripts and fractions are word characters.</summary>
    public static bool IsOnigurumaWord(int c) => c is 0xB2 or 0xB3 or 0xB9 or (>= 0xBC and <= 0xBE) || IsWord(c);

    /// <summary>Letters in circles and squares: symbols that have the property Alphabetic.</summary>
    public static bool IsAlphabeticSymbol(int c) => c is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    /// <summary>Punctuation as Hugging Face tokenizers has it: ASCII punctuation and symbols, and category P of its old table.</summary>
    public static bool IsLegacyPunctuation(int c) => c < 0x80
        ? c is (>= 0x21 and <= 0x2F) or (>= 0x3A and <= 0x40) or (>= 0x5B and <= 0x60) or (>= 0x7B and <= 0x7E)
        : Categories.Value["P"].Contains(c);

    /// <summary>Cc, Cf and Co of the old table of Hugging Face tokenizers.</summary>
    public static bool IsLegacyOther(int c) => Categories.Value["C"].Contains(c);

    /// <summary>Mn of the old table of Hugging Face tokenizers.</summary>
    public static bool IsLegacyNonSpacingMark(int c) => c >= 0x300 && Categories.Value["Mn"].Contains(c);

    /// <summary>General category M in Unicode 9.0.</summary>
    public static bool IsLegacyMark(int c) => c >= 0x300 && Categories.Value["M"].Contains(c);

    /// <summary>The script in Unicode 9.0, or null.</summary>
    public static string? LegacyScript(int c)
    {
        var (starts, ends, names) = LegacyScripts.Value;
        var index = Array.BinarySearch(starts, c);
        if (index < 0) index = ~index - 1;
        return index >= 0 && c <= ends[index] ? names[index] : null;
    }

    /// <summary>The code points of a script (by name or ISO 15924 code) or of a property; spaces, underscores, hyphens and case do not count. Null when there is none of that name.</summary>
    public static UnicodeRanges? Property(string name) => Properties.Value.GetValueOrDefault(name.Replace("_", "").Replace(" ", "").Replace("-", ""));

    /// <summary>Lower case without context, one code point to one, but for U+0130 , which becomes two.</summary>
    public static int ToLower(int c) => c < 0x80
        ? (uint)(c - 'A') < 26 ? c | 0x20 : c
        : System.Text.Rune.IsValid(c) ? System.Text.Rune.ToLowerInvariant(new(c)).Value : c;

    /// <summary>Number of bytes of a code point in UTF-8.</summary>
    public static int Utf8Length(int c) => c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    /// <summary>Number of bytes that the lead byte of a well-formed sequence announces.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Utf8Length(byte lead) => lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    /// <summary>Decodes one code point of well-formed UTF-8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Decode(ReadOnlySpan<byte> text, int position, out int length)
    {
        int b = text[position];
        if (b < 0x80)
        {
            length = 1;
            return b;
        }

        if (b < 0xE0)
        {
            length = 2;
            return (b & 0x1F) << 6 | text[position + 1] & 0x3F;
        }

        if (b < 0xF0)
        {
            length = 3;
            return (b & 0x0F) << 12 | (text[position + 1] & 0x3F) << 6 | text[position + 2] & 0x3F;
        }

        length = 4;
        return (b & 0x07) << 18 | (text[position + 1] & 0x3F) << 12 | (text[position + 2] & 0x3F) << 6 | text[position + 3] & 0x3F;
    }

    /// <summary>Decodes the code point that ends before <paramref name="position"/>.</summary>
    public static int DecodeBefore(ReadOnlySpan<byte> text, int position, out int length)
    {
        var start = position - 1;
        while ((text[start] & 0xC0) == 0x80) start--;
        return Decode(text, start, out length);
    }

    private static (int[], int[], string[]) ReadLegacyScripts()
    {
        var all = UnicodeResource.Read("scripts").SelectMany(line => UnicodeRanges.Parse(line.Skip(1)).Select(range => (range.Start, range.End, Name: line[0]))).OrderBy(range => range.Start).ToArray();
        return ([.. all.Select(range => range.Start)], [.. all.Select(range => range.End)], [.. all.Select(range => range.Name)]);
    }

    private static Dictionary<string, UnicodeRanges> ReadProperties()
    {
        var result = new Dictionary<string, UnicodeRanges>(StringComparer.OrdinalIgnoreCase);
        foreach (var line in UnicodeResource.Read("properties"))
        {
            var ranges = new UnicodeRanges(UnicodeRanges.Parse(line.Skip(1)));
            foreach (var name in line[0].Split('=')) result[name] = ranges;
        }

        return result;
    }
}
