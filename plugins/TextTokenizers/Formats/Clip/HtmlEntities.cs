using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Formats.Clip;

/// <summary>Character references of HTML, read as Python's <c>html.unescape</c> does: named ones also without their semicolon, and by their longest known start.</summary>
internal static partial class HtmlEntities
{
    private static readonly Lazy<(Dictionary<string, string> Names, Dictionary<string, string> Capitals)> Tables = new(Read);

    /// <summary>Replaces all references.</summary>
    public static string Unescape(string text) => text.Contains('&') ? Reference().Replace(text, match => Replace(match.Groups[1].Value)) : text;

    /// <summary>Replaces only references that are certain: those with a semicolon, and names in capitals. This is ftfy's rule.</summary>
    public static string UnescapeCertain(string text) => text.Contains('&') ? CertainReference().Replace(text, match =>
    {
        var name = match.Value[1..];
        if (Tables.Value.Names.TryGetValue(name, out var character) || Tables.Value.Capitals.TryGetValue(name, out character)) return character;
        return name[0] == '#' && Unescape(match.Value) is var number && !number.Contains(';') ? number : match.Value;
    }) : text;

    private static string Replace(string reference)
    {
        if (reference[0] == '#') return ReplaceNumber(reference.AsSpan(1).TrimEnd(';'));
        var names = Tables.Value.Names;
        if (names.TryGetValue(reference, out var character)) return character;
        for (var length = reference.Length - 1; length > 1; length--)
        {
            if (names.TryGetValue(reference[..length], out character)) return character + reference[length..];
        }

        return "&" + reference;
    }

    private static string ReplaceNumber(ReadOnlySpan<char> digits)
    {
        long number = 0;
        var isHexadecimal = digits[0] is 'x' or 'X';
        foreach (var digit in isHexadecimal ? digits[1..] : digits)
        {
            number = Math.Min(0x110000, number * (isHexadecimal ? 16 : 10) + (isHexadecimal ? Convert.ToInt32(digit.ToString(), 16) : (int)char.GetNumericValue(digit)));
        }

        var c = (int)number;
        if (c is 0 or (>= 0xD800 and <= 0xDFFF) or > 0x10FFFF) return "\uFFFD";
        if (c == '\r') return "\r";
        if (c is >= 0x80 and <= 0x9F) return SingleByteEncoding.SloppyWindows1252.Decode(((char)c).ToString());
        if (c is (>= 1 and <= 8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or (>= 0xFDD0 and <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE) return "";
        return char.ConvertFromUtf32(c);
    }

    private static (Dictionary<string, string>, Dictionary<string, string>) Read()
    {
        var (names, capitals) = (new Dictionary<string, string>(StringComparer.Ordinal), new Dictionary<string, string>(StringComparer.Ordinal));
        foreach (var line in UnicodeResource.Read("entities"))
        {
            var value = new StringBuilder();
            foreach (var word in line.Skip(1)) value.Append(char.ConvertFromUtf32(int.Parse(word, NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
            if (line[0][0] == '+') capitals[line[0][1..]] = value.ToString();
            else names[line[0]] = value.ToString();
        }

        return (names, capitals);
    }

    [GeneratedRegex(@"&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)", RegexOptions.CultureInvariant)]
    private static partial System.Text.RegularExpressions.Regex Reference();

    [GeneratedRegex(@"&#?[0-9A-Za-z]{1,24};", RegexOptions.CultureInvariant)]
    private static partial System.Text.RegularExpressions.Regex CertainReference();
}
