using System.Globalization;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Regex;

/// <summary>Named sets of code points: general categories, scripts, POSIX brackets.</summary>
internal static class RegexProperties
{
    private static readonly Dictionary<string, UnicodeCategory[]> Categories = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Lu"] = [UnicodeCategory.UppercaseLetter],
        ["Ll"] = [UnicodeCategory.LowercaseLetter],
        ["Lt"] = [UnicodeCategory.TitlecaseLetter],
        ["Lm"] = [UnicodeCategory.ModifierLetter],
        ["Lo"] = [UnicodeCategory.OtherLetter],
        ["LC"] = [UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter],
        ["L"] = [UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter, UnicodeCategory.ModifierLetter, UnicodeCategory.OtherLetter],
        ["Mn"] = [UnicodeCategory.NonSpacingMark],
        ["Mc"] = [UnicodeCategory.SpacingCombiningMark],
        ["Me"] = [UnicodeCategory.EnclosingMark],
        ["M"] = [UnicodeCategory.NonSpacingMark, UnicodeCategory.SpacingCombiningMark, UnicodeCategory.EnclosingMark],
        ["Nd"] = [UnicodeCategory.DecimalDigitNumber],
        ["Nl"] = [UnicodeCategory.LetterNumber],
        ["No"] = [UnicodeCategory.OtherNumber],
        ["N"] = [UnicodeCategory.DecimalDigitNumber, UnicodeCategory.LetterNumber, UnicodeCategory.OtherNumber],
        ["Zs"] = [UnicodeCategory.SpaceSeparator],
        ["Zl"] = [UnicodeCategory.LineSeparator],
        ["Zp"] = [UnicodeCategory.ParagraphSeparator],
        ["Z"] = [UnicodeCategory.SpaceSeparator, UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator],
        ["Cc"] = [UnicodeCategory.Control],
        ["Cf"] = [UnicodeCategory.Format],
        ["Cs"] = [UnicodeCategory.Surrogate],
        ["Co"] = [UnicodeCategory.PrivateUse],
        ["Cn"] = [UnicodeCategory.OtherNotAssigned],
        ["C"] = [UnicodeCategory.Control, UnicodeCategory.Format, UnicodeCategory.Surrogate, UnicodeCategory.PrivateUse, UnicodeCategory.OtherNotAssigned],
        ["Pc"] = [UnicodeCategory.ConnectorPunctuation],
        ["Pd"] = [UnicodeCategory.DashPunctuation],
        ["Ps"] = [UnicodeCategory.OpenPunctuation],
        ["Pe"] = [UnicodeCategory.ClosePunctuation],
        ["Pi"] = [UnicodeCategory.InitialQuotePunctuation],
        ["Pf"] = [UnicodeCategory.FinalQuotePunctuation],
        ["Po"] = [UnicodeCategory.OtherPunctuation],
        ["P"] = [UnicodeCategory.ConnectorPunctuation, UnicodeCategory.DashPunctuation, UnicodeCategory.OpenPunctuation, UnicodeCategory.ClosePunctuation, UnicodeCategory.InitialQuotePunctuation, UnicodeCategory.FinalQuotePunctuation, UnicodeCategory.OtherPunctuation],
        ["Sm"] = [UnicodeCategory.MathSymbol],
        ["Sc"] = [UnicodeCategory.CurrencySymbol],
        ["Sk"] = [UnicodeCategory.ModifierSymbol],
        ["So"] = [UnicodeCategory.OtherSymbol],
        ["S"] = [UnicodeCategory.MathSymbol, UnicodeCategory.CurrencySymbol, UnicodeCategory.ModifierSymbol, UnicodeCategory.OtherSymbol],
    };

    private static readonly Dictionary<string, string> LongNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = "L", ["UppercaseLetter"] = "Lu", ["LowercaseLetter"] = "Ll", ["TitlecaseLetter"] = "Lt", ["ModifierLetter"] = "Lm", ["OtherLetter"] = "Lo",
        ["Mark"] = "M", ["NonspacingMark"] = "Mn", ["SpacingMark"] = "Mc", ["EnclosingMark"] = "Me", ["Number"] = "N", ["DecimalNumber"] = "Nd", ["LetterNumber"] = "Nl",
        ["OtherNumber"] = "No", ["Separator"] = "Z", ["SpaceSeparator"] = "Zs", ["LineSeparator"] = "Zl", ["ParagraphSeparator"] = "Zp", ["Other"] = "C", ["Control"] = "Cc",
        ["Format"] = "Cf", ["Surrogate"] = "Cs", ["PrivateUse"] = "Co", ["Unassigned"] = "Cn", ["Punctuation"] = "P", ["ConnectorPunctuation"] = "Pc", ["DashPunctuation"] = "Pd",
        ["OpenPunctuation"] = "Ps", ["ClosePunctuation"] = "Pe", ["InitialPunctuation"] = "Pi", ["FinalPunctuation"] = "Pf", ["OtherPunctuation"] = "Po", ["Symbol"] = "S",
        ["MathSymbol"] = "Sm", ["CurrencySymbol"] = "Sc", ["ModifierSymbol"] = "Sk", ["OtherSymbol"] = "So",
    };

    /// <summary>The set of that name, or null.</summary>
    public static Func<int, bool>? Find(string name)
    {
        var plain = name.Replace("_", "").Replace(" ", "").Replace("-", "");
        foreach (var prefix in (ReadOnlySpan<string>)["gc=", "generalcategory=", "script=", "sc="])
        {
            if (plain.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)) plain = plain[prefix.Length..];
        }

        if (LongNames.TryGetValue(plain, out var abbreviation)) plain = abbreviation;
        if (Categories.TryGetValue(plain, out var categories)) return c => Array.IndexOf(categories, CharUnicodeInfo.GetUnicodeCategory(c)) >= 0;
        return plain.ToLowerInvariant() switch
        {
            "any" => _ => true,
            "alphabetic" or "alpha" => Alphabetic,
            "alnum" => c => Alphabetic(c) || CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.DecimalDigitNumber,
            "uppercase" or "upper" => c => CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.UppercaseLetter,
            "lowercase" or "lower" => c => CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.LowercaseLetter,
            "digit" => c => CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.DecimalDigitNumber,
            "xdigit" => c => c < 0x80 && char.IsAsciiHexDigit((char)c),
            "space" or "whitespace" => CodePoints.IsWhiteSpace,
            "blank" => c => c == '\t' || CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.SpaceSeparator,
            "cntrl" => c => CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.Control,
            "punct" => c => Array.IndexOf(Categories["P"], CharUnicodeInfo.GetUnicodeCategory(c)) >= 0 || c is '$' or '+' or '<' or '=' or '>' or '^' or '`' or '|' or '~',
            "word" => CodePoints.IsWord,
            "ascii" => c => c < 0x80,
            _ => CodePoints.ScriptSet(plain) is { } script ? script.Contains : null,
        };
    }

    /// <summary>Reads <c>[:alpha:]</c> or <c>[:^alpha:]</c> at <paramref name="position"/>.</summary>
    public static Func<int, bool>? TryPosix(string pattern, ref int position)
    {
        if (string.CompareOrdinal(pattern, position, "[:", 0, 2) != 0) return null;
        var end = pattern.IndexOf(":]", position, StringComparison.Ordinal);
        if (end < 0) return null;
        var name = pattern[(position + 2)..end];
        var negative = name.StartsWith('^');
        if (Find(negative ? name[1..] : name) is not { } set) return null;
        position = end + 2;
        return negative ? c => !set(c) : set;
    }

    /// <summary>The other code points of the same simple case folding.</summary>
    public static IEnumerable<int> CaseVariants(int c)
    {
        if (!Rune.IsValid(c)) yield break;
        var rune = new Rune(c);
        var (lower, upper) = (Rune.ToLowerInvariant(rune), Rune.ToUpperInvariant(rune));
        yield return lower.Value;
        yield return upper.Value;
        yield return Rune.ToLowerInvariant(upper).Value;
        switch (c)
        {
            case 's' or 'S': yield return 0x17F; break;
            case 0x17F: yield return 's'; yield return 'S'; break;
            case 'k' or 'K': yield return 0x212A; break;
            case 0x212A: yield return 'k'; yield return 'K'; break;
            case 0xE5 or 0xC5: yield return 0x212B; break;
        }
    }

    private static bool Alphabetic(int c) => CodePoints.IsAlphabeticSymbol(c)
        || CharUnicodeInfo.GetUnicodeCategory(c) is <= UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber
        || (CodePoints.IsMark(c) && CodePoints.Script(c) is not (null or "Inherited" or "Common"));
}
