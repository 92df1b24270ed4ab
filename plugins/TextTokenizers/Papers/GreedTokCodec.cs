// A Partition Cover Approach to Tokenization, arXiv:2501.06246: encoding with picked tokens; pcatt/greedy_encoder.cpp
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Regex;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Words covered by tokens in the order in which they were picked; what none covers is single bytes.</summary>
internal sealed class GreedTokCodec : ITextCodec
{
    // Of the authors' tokenizer; GPT-2's but for where white space ends.
    private const string Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private readonly TextRegex _pattern = new(Pattern, RegexFlavor.Rust);
    private readonly List<byte[]> _tokens;
    private readonly Dictionary<string, int> _ranks = new(StringComparer.Ordinal);
    private readonly HashSet<string> _beginnings = new(StringComparer.Ordinal);

    /// <param name="tokens">Tokens in the order in which they were picked; bytes that are not among them follow.</param>
    public GreedTokCodec(IEnumerable<byte[]> tokens)
    {
        _tokens = [.. tokens];
        for (var rank = 0; rank < _tokens.Count; rank++)
        {
            var token = Latin(_tokens[rank]);
            _ranks[token] = rank;
            if (token.Length > 1) for (var length = 1; length <= token.Length; length++) _beginnings.Add(token[..length]);
        }

        for (var value = 0; value < 256; value++)
        {
            if (_ranks.TryAdd(((char)value).ToString(), _tokens.Count)) _tokens.Add([(byte)value]);
        }
    }

    public int VocabularySize => _tokens.Count;

    public string VocabularyDigest => Published.Digest(_tokens.Select(Convert.ToHexStringLower));

    public int[] Encode(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        var ids = new List<int>();
        var search = _pattern.Matches(utf8);
        while (search.Next(out var start, out var end)) Cover(Latin(utf8.AsSpan(start..end)), ids);
        return [.. ids];
    }

    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>();
        foreach (var id in ids) bytes.AddRange(_tokens[id]);
        return Encoding.UTF8.GetString([.. bytes]);
    }

    public byte[] Spelling(int id) => _tokens[id];

    // A word falls into portions that no beginning of a token reaches out of.
    private void Cover(string word, List<int> ids)
    {
        for (int start = 0, end; start < word.Length; start = end)
        {
            end = Reach(word, start);
            for (var place = start + 1; place < end; place++) end = Math.Max(end, Reach(word, place));
            CoverPortion(word[start..end], ids);
        }
    }

    private int Reach(string word, int start)
    {
        var end = start + 1;
        while (end <= word.Length && _beginnings.Contains(word[start..end])) end++;
        return Math.Max(start + 1, end - 1);
    }

    // A portion that is a token is that, whatever its rank.
    private void CoverPortion(string portion, List<int> ids)
    {
        if (_ranks.TryGetValue(portion, out var whole))
        {
            ids.Add(whole);
            return;
        }

        var cover = new int[portion.Length];
        Array.Fill(cover, -1);
        foreach (var (rank, start, end) in Places(portion).Order())
        {
            if (!IsCut(cover, start) && !IsCut(cover, end)) cover.AsSpan(start..end).Fill(rank);
        }

        for (var i = 0; i < cover.Length;)
        {
            var id = cover[i] >= 0 ? cover[i] : _ranks[portion[i].ToString()];
            ids.Add(id);
            i += _tokens[id].Length;
        }
    }

    private IEnumerable<(int Rank, int Start, int End)> Places(string portion)
    {
        for (var start = 0; start < portion.Length; start++)
        {
            for (var end = start + 1; end <= portion.Length && _beginnings.Contains(portion[start..end]); end++)
            {
                if (end > start + 1 && _ranks.TryGetValue(portion[start..end], out var rank)) yield return (rank, start, end);
            }
        }
    }

    // True where the same rank is on both sides, as within a token; two equal tokens side by side count as one, as in the authors' code.
    private static bool IsCut(int[] cover, int place) => place > 0 && place < cover.Length && cover[place] >= 0 && cover[place] == cover[place - 1];

    private static string Latin(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);
}
