using System.Buffers;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>The added tokens of a tokenizer: their ids, and how they are cut out of a text.</summary>
internal sealed class AddedVocabulary
{
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly SortedDictionary<int, AddedToken> _tokens = [];
    private readonly Dictionary<int, string> _normalized = [];
    private readonly HashSet<string> _special = new(StringComparer.Ordinal);
    private readonly Matcher _raw;
    private readonly Matcher _afterNormalizing;

    /// <summary>Gives ids as the reference does: that of the model's vocabulary where the token is in it, else the next free one.</summary>
    public AddedVocabulary(IReadOnlyList<AddedToken> tokens, TokenTable vocabulary, Normalizer? normalizer)
    {
        var next = vocabulary.Count;
        foreach (var token in tokens)
        {
            if (token.Content.Length == 0) continue;
            if (!_ids.TryGetValue(token.Content, out var id) && !vocabulary.TryGet(token.Content, out id)) id = next++;
            _ids[token.Content] = id;
            _tokens[id] = token;
            if (token.Special) _special.Add(token.Content);
            _normalized.Remove(id);
            if (token.Normalized && normalizer?.Normalize(token.Content) is { } changed && changed != token.Content) _normalized[id] = changed;
        }

        _raw = new(_tokens.Where(pair => !pair.Value.Normalized).Select(pair => (pair.Value.Content, pair.Key)));
        _afterNormalizing = new(_tokens.Where(pair => pair.Value.Normalized).Select(pair => (_normalized.GetValueOrDefault(pair.Key, pair.Value.Content), pair.Key)));
    }

    /// <summary>The tokens by id.</summary>
    public IReadOnlyDictionary<int, AddedToken> Tokens => _tokens;

    /// <summary>The id of an added token.</summary>
    public bool TryGetId(string content, out int id) => _ids.TryGetValue(content, out id);

    /// <summary>What decoding starts from: the token's normalized text where that differs.</summary>
    public string? TextOf(int id) => _normalized.TryGetValue(id, out var text) ? text : _tokens.TryGetValue(id, out var token) ? token.Content : null;

    /// <summary>Whether decoding may leave out this text.</summary>
    public bool IsSpecial(string text) => _special.Contains(text);

    /// <summary>True when no token can be found in the text, so that cutting may be left out.</summary>
    public bool CannotMatch(ReadOnlySpan<byte> text) => !_raw.CanMatch(text) && !_afterNormalizing.CanMatch(text);

    /// <summary>True when all tokens are looked for in the raw text.</summary>
    public bool IsRawOnly => _afterNormalizing.IsEmpty;

    /// <summary>True when none of the tokens of the raw text can be found in it.</summary>
    public bool CannotMatchRaw(ReadOnlySpan<byte> text) => !_raw.CanMatch(text);

    /// <summary>True when tokens of the normalized text are found word by word: none holds a space or takes those behind it.</summary>
    public bool IsWordwise => _tokens.Where(pair => pair.Value.Normalized).All(pair => !pair.Value.RightStrip && !TextOf(pair.Key)!.Any(c => char.IsWhiteSpace(c) || c == '\u2581'));

    /// <summary>Cuts out the tokens of the raw text, normalizes what is left, and cuts out the others.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="normalizer">Changes what is left.</param>
    /// <param name="special">The special tokens that are cut out; null for all.</param>
    public PieceList Extract(byte[] utf8, Normalizer? normalizer, IReadOnlySet<string>? special = null)
    {
        var pieces = new PieceList(utf8);
        pieces.SplitPieces((_, text) => Cut(text, _raw, special));
        pieces.SplitPieces((_, text) => Cut(normalizer?.Apply(text) ?? text, _afterNormalizing, special));
        return pieces;
    }

    /// <summary>Normalizes a stretch of text without tokens of the raw text, and cuts out the others.</summary>
    public PieceList ExtractNormalized(AlignedText text, Normalizer? normalizer)
    {
        var pieces = new PieceList(text);
        pieces.SplitPieces((_, piece) => Cut(normalizer?.Apply(piece) ?? piece, _afterNormalizing, special: null));
        return pieces;
    }

    private List<Piece> Cut(AlignedText text, Matcher matcher, IReadOnlySet<string>? special)
    {
        if (matcher.IsEmpty || text.Length == 0) return [new(text.Slice(0, text.Length), null)];
        var result = new List<Piece>();
        var last = 0;
        foreach (var (start, end, id) in Find(text.Bytes, matcher, special))
        {
            if (last < start) result.Add(new(text.Slice(last, start), null));
            var slice = text.Slice(start, end);
            result.Add(new(slice, [new(id, 0, slice.Length, slice.ToString())]));
            last = end;
        }

        if (last != text.Length) result.Add(new(text.Slice(last, text.Length), null));
        return result;
    }

    /// <summary>The tokens that the raw text holds: range in bytes and id.</summary>
    public List<(int Start, int End, int Id)> FindRaw(ReadOnlySpan<byte> text) => Find(text, _raw, special: null);

    private List<(int Start, int End, int Id)> Find(ReadOnlySpan<byte> text, Matcher matcher, IReadOnlySet<string>? special)
    {
        var result = new List<(int, int, int)>();
        var last = 0;
        for (var at = 0; matcher.Next(text, at, out var start, out var end, out var id);)
        {
            at = end;
            var token = _tokens[id];
            if (special is not null && _special.Contains(token.Content) && !special.Contains(token.Content)) continue;
            if (token.SingleWord && (EndsWithWord(text[..start]) || StartsWithWord(text[end..]))) continue;
            if (token.LeftStrip) start = Math.Max(start - SpacesAtEnd(text[..start]), last);
            if (token.RightStrip) end += SpacesAtStart(text[end..]);
            result.Add((start, end, id));
            last = end;
        }

        return result;
    }

    private static bool EndsWithWord(ReadOnlySpan<byte> text) => !text.IsEmpty && CodePoints.IsWordOrJoiner(CodePoints.DecodeBefore(text, text.Length, out _));

    private static bool StartsWithWord(ReadOnlySpan<byte> text) => !text.IsEmpty && CodePoints.IsWordOrJoiner(CodePoints.Decode(text, 0, out _));

    private static int SpacesAtEnd(ReadOnlySpan<byte> text)
    {
        var at = text.Length;
        while (at > 0 && CodePoints.IsWhiteSpace(CodePoints.DecodeBefore(text, at, out var length))) at -= length;
        return text.Length - at;
    }

    private static int SpacesAtStart(ReadOnlySpan<byte> text)
    {
        var at = 0;
        while (at < text.Length && CodePoints.IsWhiteSpace(CodePoints.Decode(text, at, out var length))) at += length;
        return at;
    }

    /// <summary>Finds the leftmost, and there the longest, of many strings.</summary>
    private sealed class Matcher
    {
        private readonly ByteTrie _trie = new();
        private readonly SearchValues<byte> _first;

        public Matcher(IEnumerable<(string Text, int Id)> strings)
        {
            var first = new HashSet<byte>();
            foreach (var (text, id) in strings)
            {
                if (text.Length == 0) continue;
                var utf8 = Encoding.UTF8.GetBytes(text);
                _trie.Add(utf8, id);
                first.Add(utf8[0]);
            }

            IsEmpty = first.Count == 0;
            _first = SearchValues.Create(first.ToArray());
        }

        public bool IsEmpty { get; }

        public bool CanMatch(ReadOnlySpan<byte> text) => !IsEmpty && Next(text, 0, out _, out _, out _);

        public bool Next(ReadOnlySpan<byte> text, int from, out int start, out int end, out int id)
        {
            for (start = from; text[start..].IndexOfAny(_first) is >= 0 and var skip; start++)
            {
                start += skip;
                var length = _trie.Longest(text[start..], out id);
                if (length == 0) continue;
                end = start + length;
                return true;
            }

            end = id = 0;
            return false;
        }
    }
}
