using System.Globalization;
using System.Text;

namespace ModelZoo.Networks.Strings;

/// <summary>Strings as Python's <c>str</c> has them, which most published code counts and cleans with, where .NET does otherwise.</summary>
public static class PythonText
{
    // Word_Break of MidLetter, MidNumLet and Single_Quote, and modifier symbols of ASCII and Latin-1: a word goes on behind them.
    private const string WordMarks = "'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A^`\u00A8\u00AD\u00AF\u00B4\u00B8";

    /// <summary><c>isspace()</c>: White_Space and the four separators U+001C to U+001F.</summary>
    public static bool IsSpace(char unit) => char.IsWhiteSpace(unit) || unit is >= '\u001C' and <= '\u001F';

    /// <summary><c>split()</c>: the runs between white space.</summary>
    public static List<string> Words(string text)
    {
        var words = new List<string>();
        var start = -1;
        for (var i = 0; i <= text.Length; i++)
        {
            var inside = i < text.Length && !IsSpace(text[i]);
            if (inside && start < 0) start = i;
            if (inside || start < 0) continue;
            words.Add(text[start..i]);
            start = -1;
        }

        return words;
    }

    /// <summary><c>strip()</c>: the text without white space at its ends.</summary>
    public static string Strip(string text)
    {
        var (start, end) = (0, text.Length);
        while (start < end && IsSpace(text[start])) start++;
        while (end > start && IsSpace(text[end - 1])) end--;
        return text[start..end];
    }

    /// <summary><c>lower()</c>: a capital I with a dot keeps the dot as a mark, a sigma that ends a word has its final form.</summary>
    public static string Lower(string text)
    {
        if (!text.AsSpan().ContainsAny('\u0130', '\u03A3')) return text.ToLowerInvariant();
        Rune[] runes = [.. text.EnumerateRunes()];
        var lower = new StringBuilder(text.Length);
        for (var i = 0; i < runes.Length; i++)
        {
            switch (runes[i].Value)
            {
                case 0x130: lower.Append("i\u0307"); break;
                case 0x3A3: lower.Append(IsFinal(runes, i) ? '\u03C2' : '\u03C3'); break;
                default: lower.Append(Rune.ToLowerInvariant(runes[i])); break;
            }
        }

        return lower.ToString();
    }

    /// <summary><c>capitalize()</c>: the first letter in title case, the others in lower case.</summary>
    public static string Capitalize(string text)
    {
        if (text.Length == 0) return text;
        var first = char.IsSurrogatePair(text, 0) ? text[..2] : text[..1];
        var title = first switch { "ß" => "Ss", "ŉ" => "ʼN", "ı" => "I", _ => first.ToUpperInvariant() };
        return title + Lower(text[first.Length..]);
    }

    // Unicode's Final_Sigma: a cased letter before it and none after it, whatever is ignored between.
    private static bool IsFinal(Rune[] runes, int at)
    {
        var before = Array.FindLastIndex(runes, Math.Max(0, at - 1), at, rune => !IsIgnored(rune));
        var after = Array.FindIndex(runes, at + 1, rune => !IsIgnored(rune));
        return before >= 0 && IsCased(runes[before]) && (after < 0 || !IsCased(runes[after]));
    }

    private static bool IsCased(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        || rune.Value is 0xAA or 0xBA or (>= 0x2160 and <= 0x217F) or (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    private static bool IsIgnored(Rune rune) => (rune.IsBmp && WordMarks.Contains((char)rune.Value))
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;
}
