using System.Globalization;
using System.Text;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>
/// The rule by which HAT cuts a text into words (appendix of the paper; crate hat-splitter): Unicode's word boundaries, cut after each punctuation mark and between a small and a capital letter; then one blank goes with the word after it,
/// and punctuation with what is before it. Words of more than <paramref name="longest"/> bytes are cut, between characters where that goes.
/// </summary>
/// <param name="specials">Ids of special tokens by their text; a special token is a word.</param>
/// <param name="longest">Most bytes of a word.</param>
internal sealed class HatSplitter(IReadOnlyDictionary<string, int> specials, int longest)
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private readonly Dictionary<int, byte[]> _texts = specials.ToDictionary(special => special.Value, special => Encoding.UTF8.GetBytes(special.Key));

    private enum Kind
    {
        Word,
        Punctuation,
        Whitespace,
        Blank,
    }

    /// <summary>Words of a text as ids: its bytes, and those of special tokens.</summary>
    public List<int[]> Encode(string text)
    {
        var words = new List<int[]>();
        for (var at = 0; at < text.Length;)
        {
            var (place, special) = NextSpecial(text, at);
            words.AddRange(Words(text[at..place]).SelectMany(Limited));
            if (special is not null) words.Add([specials[special]]);
            at = place + (special?.Length ?? 0);
        }

        return words;
    }

    /// <summary>Words of ids that follow one another; one word where they are no text, since a character is not whole.</summary>
    public List<int[]> Encode(ReadOnlySpan<int> ids)
    {
        try
        {
            return Encode(Strict.GetString(Bytes(ids)));
        }
        catch (DecoderFallbackException)
        {
            return [ids.ToArray()];
        }
    }

    /// <summary>The words of a text, without special tokens and of any length.</summary>
    public static List<string> Words(string text)
    {
        var (words, last) = (new List<string>(), (Kind?)null);
        foreach (var piece in Blanks(WordBounds.Split(text).SelectMany(AfterPunctuation).SelectMany(AtCapitals)))
        {
            var kind = KindOf(piece);
            var joins = kind == Kind.Word ? last == Kind.Blank : kind == Kind.Punctuation && last is Kind.Blank or Kind.Word or Kind.Punctuation;
            if (joins) words[^1] += piece;
            else words.Add(piece);
            last = kind;
        }

        return words;
    }

    private byte[] Bytes(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>(ids.Length);
        foreach (var id in ids)
        {
            if (_texts.TryGetValue(id, out var text)) bytes.AddRange(text);
            else bytes.Add((byte)id);
        }

        return [.. bytes];
    }

    // The first special token from a place on; of two at one place the one that is listed first.
    private (int Place, string? Special) NextSpecial(string text, int from)
    {
        var (first, found) = (text.Length, (string?)null);
        foreach (var special in specials.Keys)
        {
            if (special.Length > 0 && text.IndexOf(special, from, StringComparison.Ordinal) is >= 0 and var place && place < first) (first, found) = (place, special);
        }

        return (first, found);
    }

    private IEnumerable<int[]> Limited(string word)
    {
        var bytes = Encoding.UTF8.GetBytes(word);
        for (var start = 0; start < bytes.Length;)
        {
            var limit = Math.Min(start + longest, bytes.Length);
            var end = limit;
            while (end > start && end < bytes.Length && (bytes[end] & 0xC0) == 0x80) end--;
            if (end == start) end = limit;
            yield return Array.ConvertAll(bytes[start..end], value => (int)value);
            start = end;
        }
    }

    private static IEnumerable<string> AfterPunctuation(string piece) => Cut(piece, (rune, _) => IsPunctuation(rune));

    private static IEnumerable<string> AtCapitals(string piece) =>
        Cut(piece, (rune, next) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.LowercaseLetter && next is { } capital && Rune.GetUnicodeCategory(capital) == UnicodeCategory.UppercaseLetter);

    private static IEnumerable<string> Cut(string piece, Func<Rune, Rune?, bool> isLast)
    {
        var (start, at) = (0, 0);
        Rune[] runes = [.. piece.EnumerateRunes()];
        for (var i = 0; i < runes.Length; i++)
        {
            at += runes[i].Utf16SequenceLength;
            if (!isLast(runes[i], i + 1 < runes.Length ? runes[i + 1] : null)) continue;
            yield return piece[start..at];
            start = at;
        }

        if (start < piece.Length) yield return piece[start..];
    }

    // A single blank joins the blanks before it.
    private static List<string> Blanks(IEnumerable<string> pieces)
    {
        var joined = new List<string>();
        foreach (var piece in pieces)
        {
            if (piece == " " && joined.Count > 0 && joined[^1].All(character => character == ' ')) joined[^1] += piece;
            else joined.Add(piece);
        }

        return joined;
    }

    private static Kind KindOf(string piece)
    {
        if (piece == " ") return Kind.Blank;
        if (piece.All(char.IsWhiteSpace)) return Kind.Whitespace;
        return piece.EnumerateRunes().Take(2).ToArray() is [var only] && IsPunctuation(only) ? Kind.Punctuation : Kind.Word;
    }

    private static bool IsPunctuation(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation or UnicodeCategory.ClosePunctuation
        or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation or UnicodeCategory.OtherPunctuation;
}
