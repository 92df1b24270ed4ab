using System.Text.RegularExpressions;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Networks.Metrics;

/// <summary>Tercom's normalisation of texts, as in sacreBLEU.</summary>
/// <param name="Normalized">Split punctuation off.</param>
/// <param name="NoPunctuation">Remove punctuation.</param>
/// <param name="AsianSupport">Also split, or remove, Chinese and Japanese marks, and split ideographs.</param>
/// <param name="CaseSensitive">Keep case.</param>
public sealed partial record TerTokenizer(bool Normalized = false, bool NoPunctuation = false, bool AsianSupport = false, bool CaseSensitive = false)
{
    /// <summary>The words of a text.</summary>
    public string[] Tokenize(string text)
    {
        text = text.TrimEnd();
        if (!CaseSensitive) text = PythonText.Lower(text);
        if (Normalized)
        {
            text = Western(text);
            if (AsianSupport) text = Asian(text);
        }

        if (NoPunctuation)
        {
            text = Marks().Replace(text, "");
            if (AsianSupport) text = AsianMarks().Replace(text, "");
        }

        return BleuTokenizer.Split(text);
    }

    /// <summary>The words of a reference, which sacreBLEU normalises twice: what a first time split off may be split again.</summary>
    public string[] TokenizeReference(string text) => Tokenize(string.Join(' ', Tokenize(text)));

    private static string Western(string text)
    {
        text = text.Replace("\n-", "", StringComparison.Ordinal).Replace('\n', ' ')
            .Replace("&quot;", "\"", StringComparison.Ordinal).Replace("&amp;", "&", StringComparison.Ordinal).Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal);
        text = Punctuation().Replace($" {text} ", " $1 ");
        text = text.Replace("'s ", " 's ", StringComparison.Ordinal);
        text = PossessiveAtEnd().Replace(text, " 's");
        text = PeriodAfterNonDigit().Replace(text, "$1 $2 ");
        text = PeriodBeforeNonDigit().Replace(text, " $1 $2");
        return DashAfterDigit().Replace(text, "$1 $2 ");
    }

    private static string Asian(string text)
    {
        text = Ideographs().Replace(text, " $1 ");
        text = Radicals().Replace(text, " $1 ");
        text = Compatibility().Replace(text, " $1 ");
        text = Enclosed().Replace(text, " $1 ");
        text = Hiragana().Replace(text, "$1 $2 ");
        text = Katakana().Replace(text, "$1 $2 ");
        text = KatakanaExtensions().Replace(text, "$1 $2 ");
        return AsianMarks().Replace(text, " $1 ");
    }

    [GeneratedRegex(@"([{-~[-` -&(-+:-@/])")] private static partial Regex Punctuation();
    [GeneratedRegex(@"'s$")] private static partial Regex PossessiveAtEnd();
    [GeneratedRegex(@"([^0-9])([\.,])")] private static partial Regex PeriodAfterNonDigit();
    [GeneratedRegex(@"([\.,])([^0-9])")] private static partial Regex PeriodBeforeNonDigit();
    [GeneratedRegex(@"([0-9])(-)")] private static partial Regex DashAfterDigit();
    [GeneratedRegex(@"([\u4e00-\u9fff\u3400-\u4dbf])")] private static partial Regex Ideographs();
    [GeneratedRegex(@"([\u31c0-\u31ef\u2e80-\u2eff])")] private static partial Regex Radicals();
    [GeneratedRegex(@"([\u3300-\u33ff\uf900-\ufaff\ufe30-\ufe4f])")] private static partial Regex Compatibility();
    [GeneratedRegex(@"([\u3200-\u3f22])")] private static partial Regex Enclosed();
    [GeneratedRegex(@"(^|^[\u3040-\u309f])([\u3040-\u309f]+)(?=$|^[\u3040-\u309f])")] private static partial Regex Hiragana();
    [GeneratedRegex(@"(^|^[\u30a0-\u30ff])([\u30a0-\u30ff]+)(?=$|^[\u30a0-\u30ff])")] private static partial Regex Katakana();
    [GeneratedRegex(@"(^|^[\u31f0-\u31ff])([\u31f0-\u31ff]+)(?=$|^[\u31f0-\u31ff])")] private static partial Regex KatakanaExtensions();
    [GeneratedRegex(@"([\u3001\u3002\u3008-\u3011\u3014-\u301f\uff61-\uff65\u30fb\uff0e\uff0c\uff1f\uff1a\uff1b\uff01\uff02\uff08\uff09])")] private static partial Regex AsianMarks();
    [GeneratedRegex(@"[\.,\?:;!""\(\)]")] private static partial Regex Marks();
}
