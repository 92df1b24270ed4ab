using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Bytes of a text in the pieces (patches, chunks, words) that a model makes of them. Ids are those of the bytes, so that tokens alone give the text back.</summary>
internal static class PieceTokens
{
    /// <summary>Tokens of a text. The first byte of a piece has the place of all of it, the others a place of no width at its end: shown, a piece is one stretch.</summary>
    /// <param name="space">What the ids mean.</param>
    /// <param name="text">The text.</param>
    /// <param name="ids">Ids of its bytes.</param>
    /// <param name="lengths">Bytes of each piece; together all of them.</param>
    /// <param name="extras">What else is told of the bytes or pieces.</param>
    public static Tokens Of(TokenSpace space, string text, int[] ids, IReadOnlyList<int> lengths, params ReadOnlySpan<(string Name, Tensor Values)> extras) =>
        Of(space, text, ids, Spans(text, lengths), lengths, extras);

    /// <summary>Tokens of a text whose ids are those of characters of one byte or more.</summary>
    /// <param name="space">What the ids mean.</param>
    /// <param name="text">The text.</param>
    /// <param name="ids">Ids of its characters.</param>
    /// <param name="widths">Bytes of each character.</param>
    /// <param name="counts">Characters of each piece; together all of them.</param>
    public static Tokens OfCharacters(TokenSpace space, string text, int[] ids, IReadOnlyList<int> widths, IReadOnlyList<int> counts)
    {
        var (lengths, first) = (new List<int>(counts.Count), 0);
        foreach (var count in counts)
        {
            lengths.Add(Enumerable.Range(first, count).Sum(i => widths[i]));
            first += count;
        }

        // Of a character's bytes, the first has its place.
        var (spans, at) = (Spans(text, lengths), 0);
        var kept = new List<TokenSpan>(ids.Length);
        foreach (var width in widths)
        {
            kept.Add(spans[at]);
            at += width;
        }

        return Of(space, text, ids, [.. kept], counts);
    }

    private static Tokens Of(TokenSpace space, string text, int[] ids, TokenSpan[] spans, IReadOnlyList<int> lengths, params ReadOnlySpan<(string Name, Tensor Values)> extras)
    {
        var told = new Dictionary<string, Tensor> { [Tokens.PieceLengths] = Tensor.Create([.. lengths.Select(length => (long)length)], lengths.Count) };
        foreach (var (name, values) in extras) told[name] = values;
        return new(space, Tensor.Create(ids, ids.Length)) { Spans = spans, SourceLength = ids.Length, Extras = told };
    }

    private static TokenSpan[] Spans(string text, IReadOnlyList<int> lengths)
    {
        var places = Places(text);
        var spans = new List<TokenSpan>(places.Count);
        foreach (var length in lengths.Where(length => length > 0))
        {
            var (start, end) = (places[spans.Count].Start, places[spans.Count + length - 1].End);
            spans.Add(new(start, end));
            for (var i = 1; i < length; i++) spans.Add(new(end, end));
        }

        return [.. spans];
    }

    // Where the character of each byte stands, in UTF-16 units.
    private static List<(int Start, int End)> Places(string text)
    {
        var (places, at) = (new List<(int, int)>(text.Length), 0);
        foreach (var rune in text.EnumerateRunes())
        {
            for (var i = 0; i < rune.Utf8SequenceLength; i++) places.Add((at, at + rune.Utf16SequenceLength));
            at += rune.Utf16SequenceLength;
        }

        return places;
    }
}
