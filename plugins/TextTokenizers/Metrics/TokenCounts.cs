using System.Runtime.InteropServices;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Metrics;

/// <summary>What the intrinsic metrics need of a tokenized corpus; kept as counts, so that a large corpus costs little.</summary>
internal sealed class TokenCounts
{
    private readonly Dictionary<int, long> _types = [];
    private readonly Dictionary<(int, int), long> _pairs = [];
    private readonly Dictionary<int, long> _contexts = [];
    private readonly Dictionary<string, long> _ofLabel = [];
    private readonly Dictionary<int, Dictionary<string, long>> _numberPatterns = [];
    private readonly Dictionary<string, long> _classes = [];
    private readonly Qtok _qtok = new();

    public long Tokens { get; private set; }

    public long Bytes { get; private set; }

    public long Characters { get; private set; }

    /// <summary>Words (runs between white space) of texts whose tokens tell their places.</summary>
    public long Words { get; private set; }

    /// <summary>Words that more than one token touches.</summary>
    public long ContinuedWords { get; private set; }

    /// <summary>Tokens that touch words, one counted for each word.</summary>
    public long WordTokens { get; private set; }

    public long Texts { get; private set; }

    public long Restored { get; private set; }

    public int Vocabulary { get; private set; }

    /// <summary>Numbers (runs of digits), and the tokens that they are cut into.</summary>
    public (long Numbers, long Tokens) Digits { get; private set; }

    /// <summary>Places inside words with given morphemes: where both cut, where the tokenizer cuts, where the morphemes end.</summary>
    public (long Both, long Found, long Given) Boundaries { get; private set; }

    /// <summary>Tokens by what their text is made of, in Qtok's classes.</summary>
    public IReadOnlyDictionary<string, long> Classes => _classes;

    /// <summary>Falling counts of the tokens that occur.</summary>
    public double[] Types => [.. _types.Values.Select(count => (double)count).OrderDescending()];

    /// <summary>Shares of the tokens that occur, falling.</summary>
    public double[] Shares => [.. Types.Select(count => count / Tokens)];

    /// <summary>Tokens of the texts with each label.</summary>
    public IReadOnlyDictionary<string, long> OfLabel => _ofLabel;

    /// <summary>Entropy of a token given the one before, in bits (plug-in).</summary>
    public double ConditionalEntropy
    {
        get
        {
            double total = _pairs.Values.Sum();
            return total == 0 ? 0 : _pairs.Sum(pair => pair.Value / total * Math.Log2((double)_contexts[pair.Key.Item1] / pair.Value));
        }
    }

    /// <summary>Of two numbers with as many digits, the chance that they are cut alike; null when no two are as long.</summary>
    public double? NumberConsistency
    {
        get
        {
            var (alike, all) = (0.0, 0.0);
            foreach (var patterns in _numberPatterns.Values)
            {
                double count = patterns.Values.Sum();
                all += count * (count - 1) / 2;
                alike += patterns.Values.Sum(same => same * (same - 1.0) / 2);
            }

            return all == 0 ? null : alike / all;
        }
    }

    /// <summary>Takes the tokens of a text; false when the observation is not one.</summary>
    public bool Add(Observation observation)
    {
        if (observation is not { Reference: Text text, Tokens: { } tokens }) return false;
        var ids = tokens.Ids.Span;
        Texts++;
        Tokens += ids.Length;
        Bytes += Encoding.UTF8.GetByteCount(text.Value);
        Characters += Scalars.Count(text.Value);
        Vocabulary = tokens.Space.VocabularySizes is [var size, ..] ? Math.Max(Vocabulary, size) : Vocabulary;
        if (observation.Output is Text output && output.Value == text.Value) Restored++;
        if (observation.Label is { } label) CollectionsMarshal.GetValueRefOrAddDefault(_ofLabel, label, out _) += ids.Length;
        for (var i = 0; i < ids.Length; i++)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_types, ids[i], out _)++;
            if (i == 0) continue;
            CollectionsMarshal.GetValueRefOrAddDefault(_pairs, (ids[i - 1], ids[i]), out _)++;
            CollectionsMarshal.GetValueRefOrAddDefault(_contexts, ids[i - 1], out _)++;
        }

        if (tokens.Spans.Count != ids.Length) return true;
        AddPlaces(text.Value, tokens.Spans);
        AddClasses(text.Value, tokens.Spans);
        if (observation.Label is { } morphemes && morphemes.Replace(" ", "", StringComparison.Ordinal) == text.Value) AddBoundaries(morphemes, tokens.Spans);
        return true;
    }

    private void AddPlaces(string text, IReadOnlyList<TokenSpan> spans)
    {
        var token = 0;
        foreach (var (start, end) in Runs(text, static unit => !char.IsWhiteSpace(unit)))
        {
            while (token < spans.Count && spans[token].End <= start) token++;
            var touching = 0;
            for (var i = token; i < spans.Count && spans[i].Start < end; i++)
            {
                if (spans[i].End > start && spans[i].End > spans[i].Start) touching++;
            }

            Words++;
            WordTokens += touching;
            if (touching > 1) ContinuedWords++;
        }

        token = 0;
        foreach (var (start, end) in Runs(text, char.IsAsciiDigit))
        {
            while (token < spans.Count && spans[token].End <= start) token++;
            var cuts = new List<int>();
            for (var i = token; i < spans.Count && spans[i].Start < end; i++) cuts.Add((int)Math.Min(spans[i].End, end) - start);
            if (!_numberPatterns.TryGetValue(end - start, out var patterns)) _numberPatterns.Add(end - start, patterns = []);
            CollectionsMarshal.GetValueRefOrAddDefault(patterns, string.Join(' ', cuts), out _)++;
            Digits = (Digits.Numbers + 1, Digits.Tokens + cuts.Count);
        }
    }

    // A token that shares its place with a neighbour is part of a character.
    private void AddClasses(string text, IReadOnlyList<TokenSpan> spans)
    {
        for (var i = 0; i < spans.Count; i++)
        {
            var (start, end) = ((int)spans[i].Start, (int)spans[i].End);
            if (end <= start || end > text.Length) continue;
            var isPart = (i > 0 && spans[i - 1].End > start) || (i + 1 < spans.Count && spans[i + 1].Start < end);
            CollectionsMarshal.GetValueRefOrAddDefault(_classes, isPart ? Qtok.PartOfCharacter : _qtok.Classify(text[start..end]).Group, out _)++;
        }
    }

    private void AddBoundaries(string morphemes, IReadOnlyList<TokenSpan> spans)
    {
        var length = morphemes.Count(unit => unit != ' ');
        var given = new HashSet<int>();
        var place = 0;
        foreach (var morpheme in morphemes.Split(' ')) given.Add(place += morpheme.Length);
        var found = spans.SelectMany(span => new[] { (int)span.Start, (int)span.End }).Where(cut => cut > 0 && cut < length).ToHashSet();
        given.RemoveWhere(cut => cut <= 0 || cut >= length);
        Boundaries = (Boundaries.Both + found.Count(given.Contains), Boundaries.Found + found.Count, Boundaries.Given + given.Count);
    }

    private static IEnumerable<(int Start, int End)> Runs(string text, Func<char, bool> inside)
    {
        var start = -1;
        for (var i = 0; i <= text.Length; i++)
        {
            var here = i < text.Length && inside(text[i]);
            if (here && start < 0) start = i;
            if (here || start < 0) continue;
            yield return (start, i);
            start = -1;
        }
    }
}
