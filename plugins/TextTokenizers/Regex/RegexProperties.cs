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
        ["Format"] = "Cf", ["Surrogate"] = "Cs", ["PrivateUse"] = "Co", ["Unassigned"] = "Cn", ["Punctuation"] = "P", ["Punct"] = "P", ["ConnectorPunctuation"] = "Pc", ["DashPunctuation"] = "Pd",
        ["OpenPunctuation"] = "Ps", ["ClosePunctuation"] = "Pe", ["InitialPunctuation"] = "Pi", ["FinalPunctuation"] = "Pf", ["OtherPunctuation"] = "Po", ["Symbol"] = "S",
        ["MathSymbol"] = "Sm", ["CurrencySymbol"] = "Sc", ["ModifierSymbol"] = "Sk", ["OtherSymbol"] = "So",
    };

    /// <summary>The set of that name, or null.</summary>
    /// <param name="name">Its name, as <c>\p{...}</c> has it.</param>
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
            "assigned" => c => CharUnicodeInfo.GetUnicodeCategory(c) != UnicodeCategory.OtherNotAssigned,
            "alphabetic" or "alpha" => Alphabetic,
            "alnum" => c => Alphabetic(c) || CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.DecimalDigitNumber,
            "uppercase" or "upper" => With(UnicodeCategory.UppercaseLetter, "OtherUppercase"),
            "lowercase" or "lower" => With(UnicodeCategory.LowercaseLetter, "OtherLowercase"),
            "digit" => c => CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.DecimalDigitNumber,
            "xdigit" => c => c < 0x80 && char.IsAsciiHexDigit((char)c),
            "space" or "whitespace" => CodePoints.IsWhiteSpace,
            "blank" => c => c == '\t' || CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.SpaceSeparator,
            "cntrl" => c => CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.Control,
            "graph" => Graph,
            "print" => c => Graph(c) || CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.SpaceSeparator,
            "word" => CodePoints.IsWord,
            "ascii" => c => c < 0x80,
            _ => CodePoints.Property(plain) is { } set ? set.Contains : null,
        };
    }

    /// <summary>Reads <c>[:alpha:]</c> or <c>[:^alpha:]</c> at <paramref name="position"/>: of ASCII in the Rust crate regex, of all Unicode in Oniguruma.</summary>
    public static Func<int, bool>? TryPosix(string pattern, RegexFlavor flavor, ref int position)
    {
        if (string.CompareOrdinal(pattern, position, "[:", 0, 2) != 0) return null;
        var end = pattern.IndexOf(":]", position, StringComparison.Ordinal);
        if (end < 0) return null;
        var name = pattern[(position + 2)..end];
        var negative = name.StartsWith('^');
        if (negative) name = name[1..];
        if ((name == "punct" ? IsPosixPunctuation : Find(name)) is not { } set) return null;
        position = end + 2;
        if (flavor == RegexFlavor.Rust)
        {
            var all = set;
            set = c => c < 0x80 && all(c);
        }

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

    // Oniguruma's [:punct:] has symbols as well; its \p{Punct} is the category P alone.
    private static bool IsPosixPunctuation(int c) => Array.IndexOf(Categories["P"], CharUnicodeInfo.GetUnicodeCategory(c)) >= 0 || Array.IndexOf(Categories["S"], CharUnicodeInfo.GetUnicodeCategory(c)) >= 0;

    private static bool Graph(int c) => !CodePoints.IsWhiteSpace(c) && CharUnicodeInfo.GetUnicodeCategory(c) is not (UnicodeCategory.Control or UnicodeCategory.Surrogate or UnicodeCategory.OtherNotAssigned);

    private static bool Alphabetic(int c) => CharUnicodeInfo.GetUnicodeCategory(c) is <= UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber || CodePoints.Property("OtherAlphabetic")!.Contains(c);

    private static Func<int, bool> With(UnicodeCategory category, string others)
    {
        var more = CodePoints.Property(others)!;
        return c => CharUnicodeInfo.GetUnicodeCategory(c) == category || more.Contains(c);
    }
}
