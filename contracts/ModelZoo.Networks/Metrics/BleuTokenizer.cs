using System.Text;
using System.Text.RegularExpressions;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Networks.Metrics;

/// <summary>The tokenizers of sacreBLEU: <c>13a</c> (mteval), <c>intl</c>, <c>zh</c>, <c>char</c> and <c>none</c>.</summary>
public static partial class BleuTokenizer
{
    // Ranges that the Chinese tokenizer splits off, as published: two of them lost their fifth digit and cover other blocks.
    private static readonly (int First, int Last)[] Chinese =
    [
        (0x3400, 0x4DB5), (0x4E00, 0x9FA5), (0x9FA6, 0x9FBB), (0xF900, 0xFA2D), (0xFA30, 0xFA6A), (0xFA70, 0xFAD9), (0x2001, 0x2A6D), (0x2F81, 0x2FA1), (0xFF00, 0xFFEF),
        (0x2E80, 0x2EFF), (0x3000, 0x303F), (0x31C0, 0x31EF), (0x2F00, 0x2FDF), (0x2FF0, 0x2FFF), (0x3100, 0x312F), (0x31A0, 0x31BF), (0xFE10, 0xFE1F), (0xFE30, 0xFE4F),
        (0x2600, 0x26FF), (0x2700, 0x27BF), (0x3200, 0x32FF), (0x3300, 0x33FF),
    ];

    /// <summary>Names of the tokenizers.</summary>
    public static IReadOnlyList<string> Names { get; } = ["13a", "intl", "zh", "char", "none"];

    /// <summary>The tokens of a line.</summary>
    /// <exception cref="ArgumentException">There is no such tokenizer.</exception>
    public static string[] Tokenize(string line, string tokenizer, bool lowercase = false)
    {
        line = (lowercase ? PythonText.Lower(line) : line).TrimEnd();
        return Split(tokenizer switch
        {
            "13a" => Western(Unescaped(line)),
            "intl" => International(line),
            "zh" => Western(SplitChinese(line.Trim())),
            "char" => string.Join(' ', line.EnumerateRunes()),
            "none" => line,
            _ => throw new ArgumentException($"No tokenizer '{tokenizer}'; there are {string.Join(", ", Names)}.", nameof(tokenizer)),
        });
    }

    /// <summary>The pieces between white space.</summary>
    public static string[] Split(string text) => [.. PythonText.Words(text)];

    /// <summary>Splits punctuation off, but for periods, commas and dashes within numbers.</summary>
    internal static string Western(string line)
    {
        line = Punctuation().Replace(line, " $1 ");
        line = PeriodAfterNonDigit().Replace(line, "$1 $2 ");
        line = PeriodBeforeNonDigit().Replace(line, " $1 $2");
        return DashAfterDigit().Replace(line, "$1 $2 ");
    }

    private static string Unescaped(string line)
    {
        line = line.Replace("<skipped>", "", StringComparison.Ordinal).Replace("-\n", "", StringComparison.Ordinal).Replace('\n', ' ')
            .Replace("&quot;", "\"", StringComparison.Ordinal).Replace("&amp;", "&", StringComparison.Ordinal).Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal);
        return $" {line} ";
    }

    // Splits marks off unless a number is on either side, and symbols always. Categories are those of code points: a regular expression sees halves of those beyond the first plane.
    private static string International(string line)
    {
        var space = new Rune(' ');
        var runes = Pairs([.. line.EnumerateRunes()], (a, b) => !Rune.IsNumber(a) && Rune.IsPunctuation(b), (a, b) => [a, space, b, space]);
        runes = Pairs(runes, (a, b) => Rune.IsPunctuation(a) && !Rune.IsNumber(b), (a, b) => [space, a, space, b]);
        return string.Concat(runes.Select(rune => Rune.IsSymbol(rune) ? $" {rune} " : rune.ToString()));
    }

    // Replaces pairs from the left; a pair that was replaced takes no part in the next.
    private static List<Rune> Pairs(List<Rune> runes, Func<Rune, Rune, bool> matches, Func<Rune, Rune, Rune[]> replacement)
    {
        var result = new List<Rune>();
        for (var i = 0; i < runes.Count; i++)
        {
            if (i + 1 < runes.Count && matches(runes[i], runes[i + 1])) result.AddRange(replacement(runes[i], runes[++i]));
            else result.Add(runes[i]);
        }

        return result;
    }

    private static string SplitChinese(string line)
    {
        var result = new StringBuilder();
        foreach (var rune in line.EnumerateRunes())
        {
            if (Chinese.Any(range => rune.Value >= range.First && rune.Value <= range.Last)) result.Append(' ').Append(rune.ToString()).Append(' ');
            else result.Append(rune.ToString());
        }

        return result.ToString();
    }

    [GeneratedRegex(@"([\{-\~\[-\` -\&\(-\+\:-\@\/])")] private static partial Regex Punctuation();
    [GeneratedRegex(@"([^0-9])([\.,])")] private static partial Regex PeriodAfterNonDigit();
    [GeneratedRegex(@"([\.,])([^0-9])")] private static partial Regex PeriodBeforeNonDigit();
    [GeneratedRegex(@"([0-9])(-)")] private static partial Regex DashAfterDigit();
}
