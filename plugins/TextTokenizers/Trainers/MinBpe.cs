// minbpe, byte-pair encoding of GPT-2 and GPT-4 as a lesson. Karpathy. github.com/karpathy/minbpe (basic.py, regex.py)
// Published layout: minbpe.model. Deviations: none.
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Regex;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>BPE over bytes whose ties go to the pair that was seen first.</summary>
internal sealed class MinBpe
{
    private readonly Dictionary<(int, int), int> _merges = [];
    private readonly List<byte[]> _vocabulary = [.. Enumerable.Range(0, 256).Select(value => new[] { (byte)value })];
    private readonly Dictionary<string, int> _specialTokens;
    private readonly TextRegex? _pattern;

    /// <param name="pattern">Cuts the text; null leaves it whole.</param>
    /// <param name="specialTokens">Texts with ids of their own.</param>
    /// <param name="merges">Merges in order.</param>
    public MinBpe(string? pattern, IReadOnlyDictionary<string, int> specialTokens, IEnumerable<(int Left, int Right)> merges)
    {
        _pattern = pattern is null ? null : new(pattern, RegexFlavor.Rust);
        _specialTokens = specialTokens.ToDictionary();
        foreach (var pair in merges) Add(pair);
    }

    /// <summary>Learns merges from a text: pairs and their new ids.</summary>
    public static List<(int Left, int Right, int Merged)> Train(string text, string? pattern, int vocabularySize, CancellationToken cancel)
    {
        var chunks = Chunks(text, pattern is null ? null : new(pattern, RegexFlavor.Rust)).Select(bytes => bytes.Select(value => (int)value).ToList()).ToList();
        var merges = new List<(int, int, int)>();
        for (var merged = 256; merged < vocabularySize; merged++)
        {
            cancel.ThrowIfCancellationRequested();
            var counts = new OrderedDictionary<(int Left, int Right), int>();
            foreach (var chunk in chunks) Count(chunk, counts);
            if (counts.Count == 0) break;
            var best = counts.MaxBy(pair => pair.Value).Key;
            foreach (var chunk in chunks) Merge(chunk, best, merged);
            merges.Add((best.Left, best.Right, merged));
        }

        return merges;
    }

    /// <summary>The ids of a text. Special tokens are cut out when <paramref name="allowSpecial"/> is true, longest first where they begin alike in the list's order.</summary>
    public List<int> Encode(string text, bool allowSpecial)
    {
        var ids = new List<int>();
        var start = 0;
        while (allowSpecial && _specialTokens.Count > 0 && NextSpecial(text, start) is { } special)
        {
            EncodeOrdinary(text[start..special.Start], ids);
            ids.Add(special.Id);
            start = special.Start + special.Length;
        }

        EncodeOrdinary(text[start..], ids);
        return ids;
    }

    /// <summary>True when the text holds a special token.</summary>
    public bool HoldsSpecial(string text) => NextSpecial(text, 0) is not null;

    /// <summary>The text of ids; bad UTF-8 becomes U+FFFD.</summary>
    public string Decode(IEnumerable<int> ids)
    {
        var texts = _specialTokens.ToDictionary(pair => pair.Value, pair => pair.Key);
        var bytes = new List<byte>();
        foreach (var id in ids) bytes.AddRange(id < _vocabulary.Count ? _vocabulary[id] : Encoding.UTF8.GetBytes(texts[id]));
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private (int Start, int Length, int Id)? NextSpecial(string text, int from)
    {
        (int Start, int Length, int Id)? first = null;
        foreach (var (token, id) in _specialTokens)
        {
            var start = text.IndexOf(token, from, StringComparison.Ordinal);
            if (start >= 0 && (first is not { } known || start < known.Start)) first = (start, token.Length, id);
        }

        return first;
    }

    private void EncodeOrdinary(string text, List<int> output)
    {
        foreach (var bytes in Chunks(text, _pattern))
        {
            var ids = bytes.Select(value => (int)value).ToList();
            while (ids.Count > 1)
            {
                var best = ids.Zip(ids.Skip(1)).MinBy(pair => _merges.GetValueOrDefault(pair, int.MaxValue));
                if (!_merges.TryGetValue(best, out var merged)) break;
                Merge(ids, best, merged);
            }

            output.AddRange(ids);
        }
    }

    private void Add((int Left, int Right) pair)
    {
        _merges.Add(pair, _vocabulary.Count);
        _vocabulary.Add([.. _vocabulary[pair.Left], .. _vocabulary[pair.Right]]);
    }

    private static IEnumerable<byte[]> Chunks(string text, TextRegex? pattern)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        if (pattern is null) return [bytes];
        var chunks = new List<byte[]>();
        var search = pattern.Matches(bytes);
        while (search.Next(out var start, out var end)) chunks.Add(bytes[start..end]);
        return chunks;
    }

    private static void Count(List<int> ids, OrderedDictionary<(int, int), int> counts)
    {
        for (var i = 0; i + 1 < ids.Count; i++)
        {
            var pair = (ids[i], ids[i + 1]);
            counts[pair] = counts.GetValueOrDefault(pair) + 1;
        }
    }

    private static void Merge(List<int> ids, (int Left, int Right) pair, int merged)
    {
        var write = 0;
        for (var read = 0; read < ids.Count; read++, write++)
        {
            var here = read + 1 < ids.Count && ids[read] == pair.Left && ids[read + 1] == pair.Right;
            ids[write] = here ? merged : ids[read];
            if (here) read++;
        }

        ids.RemoveRange(write, ids.Count - write);
    }
}
