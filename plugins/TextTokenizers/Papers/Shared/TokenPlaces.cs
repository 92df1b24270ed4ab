using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Where tokens stand that spell a text one after the other.</summary>
internal static class TokenPlaces
{
    /// <summary>A span for each token, in UTF-16 units, a part of a character covering all of it; none at all where the tokens do not spell the text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="spellings">The bytes of each token; empty for one that stands for no text, null where that is not known.</param>
    public static IReadOnlyList<TokenSpan> Of(string text, IEnumerable<byte[]?> spellings)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        var map = new OffsetMap(utf8, OffsetUnit.Utf16);
        var spans = new List<TokenSpan>();
        var start = 0;
        foreach (var bytes in spellings)
        {
            if (bytes is null || !utf8.AsSpan(start).StartsWith(bytes)) return [];
            var end = start + bytes.Length;
            var (from, to) = Units(map, start, end, utf8.Length, text.Length);
            spans.Add(new(from, to));
            start += bytes.Length;
        }

        return start == utf8.Length ? spans : [];
    }

    /// <summary>A range of bytes in UTF-16 units, a part of a character being all of it.</summary>
    public static (int Start, int End) Units(OffsetMap map, int start, int end, int bytes, int units)
    {
        if (start >= bytes) return (units, units);
        var whole = end;
        var (from, to) = map.Convert(start, end);
        while (to == from && end > start && whole < bytes) to = map.Convert(start, ++whole).End;
        return (from, to);
    }

    /// <summary>Words with where each begins: they stand in the text one after the other, with nothing but white space between.</summary>
    public static IEnumerable<(string Word, int Start)> Locate(string text, IEnumerable<string> words)
    {
        var at = 0;
        foreach (var word in words)
        {
            // A lone surrogate may be written otherwise in the word.
            at = text.IndexOf(word, at, StringComparison.Ordinal) is >= 0 and var found ? found : at;
            yield return (word, at);
            at = Math.Min(text.Length, at + word.Length);
        }
    }
}
