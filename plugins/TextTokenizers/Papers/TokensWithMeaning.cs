// Tokens with Meaning: A Hybrid Tokenization Approach for NLP. Bayram, Fincan, Gümüş, Karakaş, Diri, Yıldırım, Çelik. arXiv:2508.14292. github.com/malibayram/turkish-tokenizer
// Published layout: kokler.json (roots), ekler.json (affixes), bpe_tokenler.json (pieces): text to id. Deviations: none.
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Turkish words as roots, affixes and pieces, longest first; affixes that differ by harmony alone share an id and find their form again when decoded.</summary>
internal sealed class TokensWithMeaning : ITextCodec
{
    private const string UpperCase = "<uppercase>", Unknown = "<unknown>";

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("tokens-with-meaning", "Tokens with Meaning: A Hybrid Tokenization Approach for NLP", "2508.14292",
            ["M. Ali Bayram", "Ali Arda Fincan", "Ahmet Semih Gümüş", "Sercan Karakaş", "Banu Diri", "Savaş Yıldırım", "Demircan Çelik"], "malibayram/turkish-tokenizer", "MIT")
            with { Layouts = ["kokler.json + ekler.json + bpe_tokenler.json"] },
        source =>
        {
            var tokenizer = new TokensWithMeaning(source.Json("kokler.json"), source.Json("ekler.json"), source.Json("bpe_tokenler.json"));
            return new PaperModel(source)
                .OnLines("encode", line =>
                {
                    var tokens = tokenizer.Tokenize(line.Text("text"));
                    int[] ids = [.. tokens.Select(token => token.Id)];
                    return Line.Of(("ids", ids), ("tokens", tokens.Select(token => (token.Text, token.Kind))), ("decoded", tokenizer.Decode(ids)));
                })
                .Tokenizes(tokenizer);
        });

    private readonly (string Kind, Dictionary<string, int> Ids, int Longest)[] _tables;
    private readonly TurkishDecoder _decoder;
    private readonly Token _upperCase, _unknown, _space;

    public TokensWithMeaning(JsonElement roots, JsonElement affixes, JsonElement pieces)
    {
        _tables = [Table("ROOT", roots), Table("SUFFIX", affixes), Table("BPE", pieces)];
        // A text that stands in several tables keeps the place of the first and the id of the last, as a merged Python dictionary does.
        var vocabulary = new OrderedDictionary<string, int>();
        foreach (var (text, id) in _tables.SelectMany(table => table.Ids)) vocabulary[text] = id;
        var texts = new Dictionary<int, List<string>>();
        foreach (var (text, id) in vocabulary)
        {
            if (!texts.TryGetValue(id, out var list)) texts.Add(id, list = []);
            list.Add(text);
        }

        _decoder = new(texts);
        VocabularySize = texts.Keys.Max() + 1;
        VocabularyDigest = Published.Digest(vocabulary.Select(pair => $"{pair.Value} {pair.Key}"));
        (_upperCase, _unknown, _space) = (Root(UpperCase), Root(Unknown), Root(" "));
        Token Root(string text) => new(text, _tables[0].Ids[text], "ROOT");
    }

    public int VocabularySize { get; }

    public string VocabularyDigest { get; }

    public int[] Encode(string text) => [.. Tokenize(text).Select(token => token.Id)];

    /// <remarks>The mark of a capital letter stands for nothing by itself; the letter's own token covers it. Small letters are as many as those that they come from.</remarks>
    public IReadOnlyList<PlacedToken> Place(string text) => [.. Walk(text).Select(found => new PlacedToken(found.Token.Id, found.Start, found.End))];

    public string Decode(ReadOnlySpan<int> ids) => _decoder.Decode(ids);

    /// <summary>The tokens of a text: words lie between blanks, and a capital letter inside of one begins a new segment.</summary>
    public List<Token> Tokenize(string text) => [.. Walk(text).Select(found => found.Token)];

    private List<(Token Token, int Start, int End)> Walk(string text)
    {
        var tokens = new List<(Token, int, int)>();
        var words = text.Split(' ');
        var at = 0;
        for (var i = 0; i < words.Length; at += words[i].Length + 1, i++)
        {
            if (PythonText.Strip(words[i]).Length > 0) WalkWord(Scalars.Split(words[i]), at, tokens);
            if (i < words.Length - 1) tokens.Add((_space, at + words[i].Length, at + words[i].Length + 1));
        }

        return tokens;
    }

    private void WalkWord(string[] letters, int at, List<(Token, int, int)> tokens)
    {
        for (int start = 0, end; start < letters.Length; start = end)
        {
            for (end = start + 1; end < letters.Length && !IsUpper(letters[end]);) end++;
            if (IsUpper(letters[start])) tokens.Add((_upperCase, at, at));
            var segment = Scalars.Split(TurkishStandards.Lower(Scalars.Join(letters.AsSpan(start..end))));
            for (var place = 0; place < segment.Length;)
            {
                var token = Longest(segment.AsSpan(place)) ?? _unknown;
                var width = token == _unknown ? 1 : Scalars.Count(token.Text);
                var units = letters.Skip(start + place).Take(width).Sum(letter => letter.Length);
                tokens.Add((token, at, at + units));
                (place, at) = (place + width, at + units);
            }
        }
    }

    private Token? Longest(ReadOnlySpan<string> letters)
    {
        foreach (var (kind, ids, longest) in _tables)
        {
            for (var width = Math.Min(letters.Length, longest); width > 0; width--)
            {
                var text = Scalars.Join(letters[..width]);
                if (ids.TryGetValue(text, out var id)) return new(text, id, kind);
            }
        }

        return null;
    }

    private static bool IsUpper(string letter) => System.Globalization.CharUnicodeInfo.GetUnicodeCategory(letter, 0) == System.Globalization.UnicodeCategory.UppercaseLetter;

    private static (string, Dictionary<string, int>, int) Table(string kind, JsonElement entries)
    {
        var ids = entries.AsMembers().ToDictionary(entry => entry.Name, entry => entry.Value.AsInt());
        return (kind, ids, ids.Count == 0 ? 0 : ids.Keys.Max(text => Scalars.Count(text)));
    }

    /// <summary>A token: its text, id, and the table it is from.</summary>
    internal sealed record Token(string Text, int Id, string Kind);
}
