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
            var (from, to) = start < utf8.Length ? map.Convert(start, end) : (text.Length, text.Length);
            while (to == from && end > start && end < utf8.Length) to = map.Convert(start, ++end).End;
            spans.Add(new(from, to));
            start += bytes.Length;
        }

        return start == utf8.Length ? spans : [];
    }
}
