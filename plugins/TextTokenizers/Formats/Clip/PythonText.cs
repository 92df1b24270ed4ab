using System.Globalization;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Formats.Clip;

/// <summary>Strings as Python has them, where .NET does otherwise.</summary>
internal static class PythonText
{
    private const string WordMarks = "'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A^`\u00A8\u00AD\u00AF\u00B4\u00B8";


    /// <summary><c>str.isspace</c> of a character: White_Space and the four separators U+001C..1F.</summary>
    public static bool IsSpace(int c) => c is >= 0x1C and <= 0x1F || CodePoints.IsWhiteSpace(c);

    /// <summary><c>str.strip()</c>.</summary>
    public static string Strip(string text)
    {
        var (start, end) = (0, text.Length);
        while (start < end && IsSpace(text[start])) start++;
        while (end > start && IsSpace(text[end - 1])) end--;
        return text[start..end];
    }

    /// <summary><c>str.lower()</c>: a capital sigma at the end of a word becomes the final one, and U+0130 two characters.</summary>
    public static string Lower(string text)
    {
        var runes = text.EnumerateRunes().ToArray();
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < runes.Length; i++)
        {
            switch (runes[i].Value)
            {
                case 0x130: result.Append("i\u0307"); break;
                case 0x3A3: result.Append(IsFinal(runes, i) ? '\u03C2' : '\u03C3'); break;
                case var c: result.Append(char.ConvertFromUtf32(CodePoints.ToLower(c))); break;
            }
        }

        return result.ToString();
    }

    private static bool IsFinal(Rune[] runes, int index)
    {
        var before = index - 1;
        while (before >= 0 && IsIgnored(runes[before].Value)) before--;
        if (before < 0 || !IsCased(runes[before].Value)) return false;
        var after = index + 1;
        while (after < runes.Length && IsIgnored(runes[after].Value)) after++;
        return after >= runes.Length || !IsCased(runes[after].Value);
    }

    private static bool IsCased(int c) => CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        || c is 0xAA or 0xBA or (>= 0x2160 and <= 0x217F) || CodePoints.IsAlphabeticSymbol(c);

    private static bool IsIgnored(int c) => (c < 0x10000 && WordMarks.Contains((char)c))
        || CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;
}
