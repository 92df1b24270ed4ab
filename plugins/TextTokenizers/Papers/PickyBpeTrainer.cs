// BPE Gets Picky, arXiv:2409.04599: training.
using System.Text.Json;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>
/// Merges the most frequent pair; a part of it whose occurrences mostly went into the merge is split again into what it was made of. Among pairs with equal counts the one that was counted first merges,
/// words being counted in the order of the corpus; the authors' code counts those that a merge changed in the order of a set of objects, which is another in each run.
/// </summary>
internal sealed class PickyBpeTrainer(PickyBpeTrainingOptions options)
{
    private readonly OrderedDictionary<string, Token> _tokens = [];
    private readonly PairCounts _pairs = new();
    private readonly List<Event> _events = [];
    private int _size;
    private int _nextId;

    /// <summary>Every token that ever was: special ones, letters, and merged ones in order of merge.</summary>
    public IReadOnlyList<Token> Tokens => _tokens.Values;

    /// <summary>Trains until the vocabulary is full or no pair is left.</summary>
    /// <param name="lines">The corpus.</param>
    /// <param name="progress">Told the size of the vocabulary.</param>
    /// <param name="cancel">Stops between two merges.</param>
    /// <returns>Merges and splits, in order.</returns>
    public IReadOnlyList<Event> Train(IEnumerable<string> lines, IProgress<int>? progress = null, CancellationToken cancel = default)
    {
        foreach (var word in Words(lines)) _pairs.Add(word.Pairs());
        while (_size < options.VocabSize && _pairs.Best() is { } best)
        {
            cancel.ThrowIfCancellationRequested();
            Merge(best);
            _size++;
            progress?.Report(_size);
        }

        return _events;
    }

    private List<Word> Words(IEnumerable<string> lines)
    {
        var counts = new OrderedDictionary<string, int>();
        foreach (var word in lines.SelectMany(PythonText.Words)) counts[word] = counts.GetValueOrDefault(word) + 1;
        List<(string[] Letters, int Count)> words = [.. counts.Select(pair => (Scalars.Split(PickyBpe.Space + pair.Key), pair.Value))];

        var letters = new OrderedDictionary<string, long>();
        foreach (var (spelling, count) in words)
        {
            foreach (var letter in spelling) letters[letter] = letters.GetValueOrDefault(letter) + count;
        }

        foreach (var (id, text) in options.SpecialTokens) _tokens.Add(text, new(id, text, null, null) { IsSpecial = true });
        _nextId = options.SpecialTokens.Max(token => token.Id) + 1;
        foreach (var (letter, count) in Kept(letters)) _tokens.Add(letter, new(_nextId++, letter, null, null) { Count = count });
        _size = _tokens.Count;
        var unknown = _tokens[PickyBpe.Unknown];
        return [.. words.Select((word, index) => new Word(index, [.. word.Letters.Select(letter => _tokens.GetValueOrDefault(letter, unknown))], word.Count))];
    }

    private IEnumerable<KeyValuePair<string, long>> Kept(OrderedDictionary<string, long> letters)
    {
        var total = letters.Values.Sum();
        var remove = total - (long)Math.Round(options.Coverage * total, MidpointRounding.ToEven);
        if (options.Coverage >= 1 || remove <= 0) return letters;
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
        var (left, right) = pair;
        _pairs.Remove(pair);
        var text = left.Text + right.Text;
        if (!_tokens.TryGetValue(text, out var merged)) _tokens.Add(text, merged = new(_nextId++, text, left, right));
        merged.IsPresent = true;
        _events.Add(new([left, right], merged, IsMerge: true));

        var count = 0L;
        var changes = new OrderedDictionary<(Token, Token), long>();
        foreach (var word in Token.WordsOf(left, right))
        {
            if (!word.Holds(pair)) continue;
            count += word.Merge(pair, merged);
            Gather(changes, word, merged);
        }

        _pairs.Add(changes);
        foreach (var ((first, second), change) in changes)
            _pairs.Subtract(first == merged ? (right, second == merged ? left : second) : (first, left), change);

        merged.Count += count;
        if (left == right)
        {
            left.Count -= 2 * count;
            SplitIfMostlyMerged(left, count);
            return;
        }

        foreach (var part in (ReadOnlySpan<Token>)[left, right])
        {
            part.Count -= count;
            SplitIfMostlyMerged(part, count);
        }
    }

    private void SplitIfMostlyMerged(Token token, long merged)
    {
        if (token.IsAtomic || (double)merged / (token.Count + merged) <= options.Threshold) return;
        token.IsPresent = false;
        _size--;
        var parts = token.Walk();
        foreach (var part in parts) part.Count += token.Count;
        for (var i = 0; i + 1 < parts.Count; i++) _pairs.Add((parts[i], parts[i + 1]), token.Count);

        var changes = new OrderedDictionary<(Token, Token), long>();
        foreach (var word in token.Words.OrderBy(word => word.Index).ToList())
        {
            Gather(changes, word, token);
            word.Split(token, parts);
        }

        foreach (var (pair, count) in changes)
        {
            var (first, second) = pair;
            _pairs.Add(first == token ? (parts[^1], second == token ? parts[0] : second) : (first, parts[0]), count);
            _pairs.Remove(pair);
        }

        token.Count = 0;
        token.Words.Clear();
        _events.Add(new(parts, token, IsMerge: false));
    }

    private static void Gather(OrderedDictionary<(Token, Token), long> changes, Word word, Token token)
    {
        foreach (var (pair, count) in word.Pairs())
        {
            if (pair.Item1 == token || pair.Item2 == token) changes[pair] = changes.GetValueOrDefault(pair) + count;
        }
    }

    /// <summary>Parts that became a token, or a token that became its parts again.</summary>
    public sealed record Event(IReadOnlyList<Token> Parts, Token Whole, bool IsMerge)
    {
        /// <summary>As a line: <c>merge</c>, or <c>split</c> and <c>into</c>.</summary>
        public JsonElement ToLine() => IsMerge
            ? Line.Of(("merge", Parts.Select(part => part.Text)))
            : Line.Of(("split", Whole.Text), ("into", Parts.Select(part => part.Text)));
    }

    internal sealed class Token(int id, string text, Token? left, Token? right)
    {
        public int Id => id;
        public string Text => text;
        public Token? Left => left;
        public Token? Right => right;
        public bool IsSpecial { get; init; }
        public bool IsPresent { get; set; } = true;
        public long Count { get; set; }
        public HashSet<Word> Words { get; } = [];
        public bool IsAtomic => IsSpecial || left is null;

        /// <summary>The present tokens that this one is made of.</summary>
        public List<Token> Walk() => IsAtomic || IsPresent ? [this] : [.. left!.Walk(), .. right!.Walk()];

        /// <summary>The words that hold both, in the corpus' order.</summary>
        public static List<Word> WordsOf(Token a, Token b)
        {
            var (few, many) = a.Words.Count <= b.Words.Count ? (a.Words, b.Words) : (b.Words, a.Words);
            return [.. few.Where(many.Contains).OrderBy(word => word.Index)];
        }
    }

    /// <summary>A word of the corpus as it is cut now.</summary>
    internal sealed class Word
    {
        private readonly int _count;
        private List<Token> _tokens;

        public Word(int index, List<Token> tokens, int count)
        {
            (Index, _tokens, _count) = (index, tokens, count);
            Join();
        }

        /// <summary>Its place among the words of the corpus.</summary>
        public int Index { get; }

        public bool Holds((Token, Token) pair) => _tokens.Zip(_tokens.Skip(1)).Contains(pair);

        /// <summary>Pairs of neighbours, times the word's count, in order of place; none with special tokens.</summary>
        public OrderedDictionary<(Token, Token), long> Pairs()
        {
            var pairs = new OrderedDictionary<(Token, Token), long>(_tokens.Count);
            foreach (var (left, right) in _tokens.Zip(_tokens.Skip(1)))
            {
                if (!left.IsSpecial && !right.IsSpecial) pairs[(left, right)] = pairs.GetValueOrDefault((left, right)) + _count;
            }

            return pairs;
        }

        /// <returns>How often the pair was merged in the corpus' occurrences of the word.</returns>
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
            Join();
            return (long)merges * _count;
        }

        public void Split(Token token, List<Token> parts)
        {
            _tokens = [.. _tokens.SelectMany(item => item == token ? parts : [item])];
            Join();
        }

        private void Join()
        {
            foreach (var token in _tokens) token.Words.Add(this);
        }
    }

    /// <summary>Counts of pairs, which know the order in which they were first counted.</summary>
    private sealed class PairCounts
    {
        private readonly Dictionary<(Token, Token), (long Count, int Order)> _counts = [];
        private readonly PriorityQueue<(Token, Token), (long Negative, int Order)> _queue = new();   // a pair is in it once for each count it had
        private int _order;

        public void Add(IEnumerable<KeyValuePair<(Token, Token), long>> counts)
        {
            foreach (var (pair, count) in counts) Add(pair, count);
        }

        public void Add((Token, Token) pair, long count) => Set(pair, _counts.TryGetValue(pair, out var now) ? (now.Count + count, now.Order) : (count, _order++));

        public void Subtract((Token, Token) pair, long count)
        {
            if (!_counts.TryGetValue(pair, out var now)) return;
            if (now.Count <= count) _counts.Remove(pair);
            else Set(pair, (now.Count - count, now.Order));
        }

        public void Remove((Token, Token) pair) => _counts.Remove(pair);

        /// <summary>The pair with the greatest count, the first of them; null when none occurs.</summary>
        public (Token Left, Token Right)? Best()
        {
            while (_queue.TryPeek(out var pair, out var key))
            {
                if (_counts.TryGetValue(pair, out var now) && (-now.Count, now.Order) == key) return now.Count > 0 ? pair : null;
                _queue.Dequeue();
            }

            return null;
        }

        private void Set((Token, Token) pair, (long Count, int Order) entry)
        {
            _counts[pair] = entry;
            _queue.Enqueue(pair, (-entry.Count, entry.Order));
        }
    }
}
