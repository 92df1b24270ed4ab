// T-FREE's words, arXiv:2406.19223, trigram_tokenizer/tokenizer/wordsplit.py
using System.Globalization;
using System.Text;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Cuts text into words and single signs; a blank that is expected between two of them is left out, one that is missing or unexpected is marked.</summary>
internal static class TFreeWords
{
    private const string Blank = "<|ws|>", NoBlank = "<|no_ws|>", Break = "<|\n|>";
    private const string Blanks = "<-ws->", Breaks = "<-\n->";
    private const string NoneAfter = "#$=-+*/'\"\\(<[]~^&@%_\n ";
    private const string NoneBefore = ".,:;?!=-+*/'\"\\)>]~^&@%_\n 1234567890";

    /// <summary>The words of a text.</summary>
    public static List<string> Split(string text)
    {
        var words = new List<string>();
        foreach (var (part, special) in SpecialTokens(text))
        {
            if (special) words.Add(part);
            else words.AddRange(Multiply(LeaveOutBlanks(Pieces(part)).Select(word => word == "\n" ? Break : word)));
        }

        return words;
    }

    /// <summary>The text of words.</summary>
    public static string Join(IEnumerable<string> words)
    {
        List<string> parts = [.. words.SelectMany(Divide)];
        var text = new StringBuilder();
        for (var i = 0; i < parts.Count; i++)
        {
            if (i > 0 && BlankBetween(parts[i - 1], parts[i])) text.Append(' ');
            text.Append(parts[i] switch { Blank => " ", NoBlank => "", Break => "\n", var word => word });
        }

        return text.ToString();
    }

    // <|...|> on one line is a word of its own.
    private static IEnumerable<(string Part, bool Special)> SpecialTokens(string text)
    {
        var start = 0;
        for (var from = 0; text.IndexOf("<|", from, StringComparison.Ordinal) is >= 0 and var open;)
        {
            var close = text.IndexOf("|>", open + 2, StringComparison.Ordinal);
            if (close < 0) break;
            if (text.AsSpan(open, close - open).Contains('\n'))
            {
                from = open + 1;
                continue;
            }

            yield return (text[start..open], false);
            start = from = close + 2;
            yield return (text[open..start], true);
        }

        yield return (text[start..], false);
    }

    // Runs of letters; digits, underscores and all other signs stand alone.
    private static List<string> Pieces(string text)
    {
        var pieces = new List<string>();
        var run = new StringBuilder();
        foreach (var letter in Scalars.Split(text))
        {
            if (IsInsideWord(letter))
            {
                run.Append(letter);
                continue;
            }

            if (run.Length > 0) pieces.Add(run.ToString());
            run.Clear();
            pieces.Add(letter);
        }

        if (run.Length > 0) pieces.Add(run.ToString());
        return pieces;
    }

    private static bool IsInsideWord(string letter) => CharUnicodeInfo.GetUnicodeCategory(letter, 0) is
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter
        or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    private static List<string> LeaveOutBlanks(List<string> pieces)
    {
        if (pieces.Count == 0) return pieces;
        var marked = new List<string>();
        for (var i = 0; i < pieces.Count; i++)
        {
            if (i > 0 && pieces[i - 1] != " " && pieces[i] != " " && !NoneAfter.Contains(pieces[i - 1][^1]) && !NoneBefore.Contains(pieces[i][0])) marked.Add(NoBlank);
            marked.Add(pieces[i]);
        }

        var words = new List<string>();
        for (var i = 0; i < marked.Count; i++)
        {
            if (marked[i] != " ") words.Add(marked[i]);
            else if (i == 0 || i == marked.Count - 1 || !IsExpected(marked[i - 1], marked[i + 1])) words.Add(Blank);
        }

        return words;
    }

    private static bool IsExpected(string last, string next) => !NoneAfter.Contains(last[^1]) && !NoneBefore.Contains(next[0]) && !IsSpecial(last) && !IsSpecial(next);

    private static bool BlankBetween(string last, string next) => IsExpected(last, next) && last != NoBlank && next != NoBlank;

    private static bool IsSpecial(string word) => word.StartsWith("<|", StringComparison.Ordinal) && word.EndsWith("|>", StringComparison.Ordinal);

    // Two to four equal blanks or breaks in a row are one word.
    private static IEnumerable<string> Multiply(IEnumerable<string> words)
    {
        List<string> list = [.. words];
        for (var i = 0; i < list.Count;)
        {
            if (list[i] is not (Blank or Break))
            {
                yield return list[i++];
                continue;
            }

            var word = list[i];
            var count = 0;
            for (; i < list.Count && list[i] == word; i++) count++;
            var unit = word == Blank ? Blanks : Breaks;
            for (; count / 2 > 2; count -= 4) yield return $"<|4{unit}|>";
            if (count >= 2) yield return $"<|{count / 2 * 2}{unit}|>";
            if (count % 2 == 1) yield return word;
        }
    }

    private static IEnumerable<string> Divide(string word)
    {
        if (!IsSpecial(word) || word.Length < 5 || !char.IsAsciiDigit(word[2])) return [word];
        var unit = word.Contains(Blanks, StringComparison.Ordinal) ? Blank : word.Contains(Breaks, StringComparison.Ordinal) ? Break : null;
        if (unit is null) return [word];
        var end = 3;
        while (char.IsAsciiDigit(word[end])) end++;
        return Enumerable.Repeat(unit, int.Parse(word.AsSpan(2, end - 2), CultureInfo.InvariantCulture));
    }
}
