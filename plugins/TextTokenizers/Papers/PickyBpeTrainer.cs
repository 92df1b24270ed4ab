// BPE Gets Picky, arXiv:2409.04599: training.
using System.Text.Json;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Merges the most frequent pair; a part of it whose occurrences mostly went into the merge is split again into what it was made of.</summary>
/// <param name="vocabularySize">Tokens to end with, special ones included.</param>
/// <param name="threshold">A part goes when more than this share of it was merged.</param>
/// <param name="coverage">Share of the corpus' characters that stay in the vocabulary; the rarest others become unknown.</param>
internal sealed class PickyBpeTrainer(int vocabularySize, double threshold, double coverage)
{
    private const int SpecialTokens = 4;   // pad, unknown, begin, end

    private readonly Token _unknown = new("<UNK>", null, null) { IsSpecial = true };
    private readonly Dictionary<string, Token> _tokens = [];
    private readonly PairCounts _pairs = new();
    private readonly List<Event> _events = [];
    private int _size;

    /// <summary>
    /// The events of training, as far as the method determines them: among pairs with equal counts the authors' code takes the one that it counted first, and what it counts first within one merge is chance.
    /// </summary>
    public List<Event> Train(IEnumerable<string> lines, CancellationToken cancel)
    {
        var words = Words(lines);
        foreach (var word in words) _pairs.Add(word.Pairs, word);
        while (_size < vocabularySize && _pairs.Best(out var determined) is { Count: > 0 } best && determined)
        {
            cancel.ThrowIfCancellationRequested();
            Merge(best.Pair);
            _size++;
        }

        return _events;
    }

    /// <summary>An event as a line: <c>merge</c>, or <c>split</c> and <c>into</c>.</summary>
    public static JsonElement Describe(Event step) => step.Into is null ? Line.Of(("merge", step.Parts)) : Line.Of(("split", step.Parts[0]), ("into", step.Into));

    private List<Word> Words(IEnumerable<string> lines)
    {
        var counts = new OrderedDictionary<string, int>();
        foreach (var word in lines.SelectMany(PythonText.Words)) counts[word] = counts.GetValueOrDefault(word) + 1;
        List<(string[] Letters, int Count)> words = [.. counts.Select(pair => (Scalars.Split('\u2581' + pair.Key), pair.Value))];

        var letters = new OrderedDictionary<string, long>();
        foreach (var (spelling, count) in words)
        {
            foreach (var letter in spelling) letters[letter] = letters.GetValueOrDefault(letter) + count;
        }

        foreach (var letter in Kept(letters)) _tokens.Add(letter.Key, new(letter.Key, null, null) { Count = letter.Value });
        _size = SpecialTokens + _tokens.Count;
        return [.. words.Select(word => new Word([.. word.Letters.Select(letter => _tokens.GetValueOrDefault(letter, _unknown))], word.Count))];
    }

    private IEnumerable<KeyValuePair<string, long>> Kept(OrderedDictionary<string, long> letters)
    {
        var total = letters.Values.Sum();
        var remove = total - (long)Math.Round(coverage * total, MidpointRounding.ToEven);
        if (coverage >= 1 || remove <= 0) return letters;
        var removed = new HashSet<string>();
        var sum = 0L;
        foreach (var (letter, count) in letters.OrderByDescending(pair => pair.Value).Reverse())
        {
            sum += count;
            if (sum >= remove) break;
            removed.Add(letter);
        }

        return letters.Where(pair => !removed.Contains(pair.Key));
    }

    private void Merge((Token Left, Token Right) pair)
    {
        _pairs.Remove(pair);
        var text = pair.Left.Text + pair.Right.Text;
        if (!_tokens.TryGetValue(text, out var merged)) _tokens.Add(text, merged = new(text, pair.Left, pair.Right));
        merged.IsPresent = true;
        _events.Add(new([pair.Left.Text, pair.Right.Text], null));

        var count = 0L;
        var changes = new PairCounts();
        foreach (var word in pair.Left.Words.Where(pair.Right.Words.Contains).ToList())
        {
            if (!word.Pairs.ContainsKey(pair)) continue;
            count += word.Merge(pair, merged);
            changes.Add(word.Pairs.Where(item => item.Key.Holds(merged)), word);
        }

        _pairs.Add(changes);
        foreach (var (found, change) in changes.Items)
        {
            var before = found.Item1 == merged ? (pair.Right, found.Item2 == merged ? pair.Left : found.Item2) : (found.Item1, pair.Left);
            _pairs.Subtract(before, change);
        }

        merged.Count += count;
        if (pair.Left == pair.Right)
        {
            pair.Left.Count -= 2 * count;
            SplitIfMostlyMerged(pair.Left, count);
            return;
        }

        foreach (var part in (ReadOnlySpan<Token>)[pair.Left, pair.Right])
        {
            part.Count -= count;
            SplitIfMostlyMerged(part, count);
        }
    }

    private void SplitIfMostlyMerged(Token token, long merged)
    {
        if (token.IsAtomic || (double)merged / (token.Count + merged) <= threshold) return;
        token.IsPresent = false;
        _size--;
        var parts = token.Walk();
        foreach (var part in parts) part.Count += token.Count;
        for (var i = 0; i + 1 < parts.Count; i++) _pairs.Add((parts[i], parts[i + 1]), token.Count);

        var changes = new PairCounts();
        foreach (var word in token.Words.ToList())
        {
            changes.Add(word.Pairs.Where(item => item.Key.Holds(token)), word);
            word.Split(token, parts);
        }

        foreach (var (pair, count) in changes.Items)
        {
            var after = pair.Item1 == token ? (parts[^1], pair.Item2 == token ? parts[0] : pair.Item2) : (pair.Item1, parts[0]);
            _pairs.Add(after, count, changes.Source(pair));
            _pairs.Remove(pair);
        }

        token.Count = 0;
        token.Words.Clear();
        _events.Add(new([token.Text], [.. parts.Select(part => part.Text)]));
    }

    /// <summary>A merge of two parts, or the split of one into others.</summary>
    public sealed record Event(IReadOnlyList<string> Parts, IReadOnlyList<string>? Into);

    internal sealed class Token(string text, Token? left, Token? right)
    {
        public string Text => text;
        public bool IsSpecial { get; init; }
        public bool IsPresent { get; set; } = true;
        public long Count { get; set; }
        public HashSet<Word> Words { get; } = [];
        public bool IsAtomic => IsSpecial || left is null;

        /// <summary>The present tokens that this one is made of.</summary>
        public List<Token> Walk() => IsAtomic || IsPresent ? [this] : [.. left!.Walk(), .. right!.Walk()];
    }

    internal sealed class Word
    {
        private readonly int _count;
        private List<Token> _tokens;

        public Word(List<Token> tokens, int count)
        {
            (_tokens, _count) = (tokens, count);
            Recount();
        }

        /// <summary>Pairs of neighbours, times the word's count, in order of place; none with special tokens.</summary>
        public OrderedDictionary<(Token, Token), long> Pairs { get; private set; } = [];

        public long Merge((Token Left, Token Right) pair, Token merged)
        {
            var tokens = new List<Token>(_tokens.Count);
            for (var i = 0; i < _tokens.Count; i++)
            {
                var here = i + 1 < _tokens.Count && (_tokens[i], _tokens[i + 1]) == pair;
                tokens.Add(here ? merged : _tokens[i]);
                if (here) i++;
            }

            var merges = _tokens.Count - tokens.Count;
            pair.Left.Words.Remove(this);
            pair.Right.Words.Remove(this);
            _tokens = tokens;
            Recount();
            return (long)merges * _count;
        }

        public void Split(Token token, List<Token> parts)
        {
            _tokens = [.. _tokens.SelectMany(item => item == token ? parts : [item])];
            Recount();
        }

        private void Recount()
        {
            Pairs = [];
            for (var i = 0; i + 1 < _tokens.Count; i++)
            {
                var pair = (_tokens[i], _tokens[i + 1]);
                if (!pair.Item1.IsSpecial && !pair.Item2.IsSpecial) Pairs[pair] = Pairs.GetValueOrDefault(pair) + _count;
            }

            foreach (var token in _tokens) token.Words.Add(this);
        }
    }

    /// <summary>Counts of pairs in order of first count, with the words that brought them.</summary>
    internal sealed class PairCounts
    {
        private readonly Dictionary<(Token, Token), Entry> _entries = [];
        private int _order;
        private int _round;

        public IEnumerable<((Token, Token) Pair, long Count)> Items => _entries.OrderBy(item => item.Value.Order).Select(item => (item.Key, item.Value.Count));

        public void Add((Token, Token) pair, long count, Dictionary<Word, int>? source = null)
        {
            if (!_entries.TryGetValue(pair, out var entry)) _entries.Add(pair, entry = new(_order++, _round, source ?? []));
            entry.Count += count;
        }

        /// <summary>Counts a word's pairs.</summary>
        public void Add(IEnumerable<KeyValuePair<(Token, Token), long>> pairs, Word word)
        {
            foreach (var (pair, count) in pairs)
            {
                Add(pair, count);
                _entries[pair].Source.TryAdd(word, _order++);
            }
        }

        /// <summary>Counts what a merge brought.</summary>
        public void Add(PairCounts changes)
        {
            _round++;
            foreach (var (pair, count) in changes.Items) Add(pair, count, changes.Source(pair));
        }

        public void Subtract((Token, Token) pair, long count)
        {
            if (!_entries.TryGetValue(pair, out var entry)) return;
            entry.Count -= count;
            if (entry.Count <= 0) _entries.Remove(pair);
        }

        public void Remove((Token, Token) pair) => _entries.Remove(pair);

        /// <summary>Words that brought a pair, and when.</summary>
        public Dictionary<Word, int> Source((Token, Token) pair) => _entries[pair].Source;

        /// <summary>The pair with the greatest count that was counted first; <paramref name="determined"/> is false when which one that is was chance.</summary>
        public ((Token Left, Token Right) Pair, long Count)? Best(out bool determined)
        {
            determined = true;
            if (_entries.Count == 0) return null;
            var count = _entries.Values.Max(entry => entry.Count);
            var tied = _entries.Where(item => item.Value.Count == count).OrderBy(item => item.Value.Order).ToList();
            var first = tied[0].Value;
            determined = first.Round == 0 || tied.Skip(1).All(item => item.Value.Round != first.Round || item.Value.ComesAfter(first));
            return (tied[0].Key, count);
        }

        private sealed class Entry(int order, int round, Dictionary<Word, int> source)
        {
            public int Order => order;
            public int Round => round;
            public long Count { get; set; }
            public Dictionary<Word, int> Source => source;

            // True when each word that brought this pair had brought the other one before.
            public bool ComesAfter(Entry other) => source.All(item => other.Source.TryGetValue(item.Key, out var when) && when < item.Value);
        }
    }
}

/// <summary>Facts about pairs of tokens.</summary>
internal static class TokenPairs
{
    /// <summary>True when one of the two is <paramref name="token"/>.</summary>
    public static bool Holds(this (PickyBpeTrainer.Token, PickyBpeTrainer.Token) pair, PickyBpeTrainer.Token token) => pair.Item1 == token || pair.Item2 == token;
}
