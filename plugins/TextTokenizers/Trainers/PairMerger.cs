using System.Runtime.InteropServices;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>
/// The words of a corpus as symbol ids, their pair counts, and a heap of pairs: each merge touches only the words that hold its pair.
/// It does what the trainers of Hugging Face tokenizers and bpeasy do, ties and all: the higher count first, then the pair with the smaller ids.
/// </summary>
internal sealed class PairMerger
{
    private readonly int[] _symbols;      // all words one after the other
    private readonly int[] _lengths;      // characters of each symbol, where a longest token is set
    private readonly int[] _starts;
    private readonly int[] _counts;       // symbols left of each word
    private readonly long[] _frequencies;
    private readonly int _maxTokenLength;
    private readonly Dictionary<Pair, int> _places = [];
    private readonly List<Tally> _pairs = [];
    private readonly List<int> _touched = [];
    private readonly PriorityQueue<Entry, (long, ulong)> _queue = new();

    /// <param name="words">Symbols of each word, and how often the word occurs.</param>
    /// <param name="maxTokenLength">Pairs that would grow to this many characters or more are not counted; <see cref="int.MaxValue"/> for no limit.</param>
    public PairMerger(IReadOnlyList<(int[] Symbols, long Frequency)> words, int maxTokenLength = int.MaxValue)
    {
        _maxTokenLength = maxTokenLength;
        _starts = new int[words.Count + 1];
        for (var word = 0; word < words.Count; word++) _starts[word + 1] = _starts[word] + words[word].Symbols.Length;
        _symbols = new int[_starts[^1]];
        _lengths = maxTokenLength == int.MaxValue ? [] : new int[_symbols.Length];
        _lengths.AsSpan().Fill(1);
        _counts = new int[words.Count];
        _frequencies = new long[words.Count];
        for (var word = 0; word < words.Count; word++)
        {
            words[word].Symbols.CopyTo(_symbols.AsSpan(_starts[word]));
            (_counts[word], _frequencies[word]) = (words[word].Symbols.Length, words[word].Frequency);
            Count(word);
        }

        Enqueue();
    }

    /// <summary>The pair that occurs most, and how often; null when no pair is left.</summary>
    public (int Left, int Right, long Count)? Next()
    {
        while (_queue.TryPeek(out var top, out _))
        {
            var (pair, count, _) = _pairs[top.Place];
            if (top.Count == count) return (pair.Left, pair.Right, count);
            _queue.DequeueEnqueue(top with { Count = count }, (-count, pair.Order));
        }

        return null;
    }

    /// <summary>Joins the pair that <see cref="Next"/> gave into <paramref name="merged"/>, wherever it stands.</summary>
    public void Merge(int merged)
    {
        var (place, _, words) = _queue.Dequeue();
        var pair = _pairs[place].Pair;
        foreach (var word in CollectionsMarshal.AsSpan(words)) Merge(word, pair.Left, pair.Right, merged);
        Enqueue();
    }

    /// <summary>The symbols that a word has now.</summary>
    public ReadOnlySpan<int> Symbols(int word) => _symbols.AsSpan(_starts[word], _counts[word]);

    /// <summary>How many words there are.</summary>
    public int Words => _counts.Length;

    /// <summary>How often a word occurs.</summary>
    public long Frequency(int word) => _frequencies[word];

    private void Count(int word)
    {
        var symbols = Symbols(word);
        for (var i = 0; i + 1 < symbols.Length; i++) Change(new(symbols[i], symbols[i + 1]), _frequencies[word], word, found: true);
    }

    private void Merge(int word, int left, int right, int merged)
    {
        var start = _starts[word];
        var symbols = _symbols.AsSpan(start, _counts[word]);
        var lengths = _lengths.Length == 0 ? default : _lengths.AsSpan(start, symbols.Length);
        var frequency = _frequencies[word];
        var write = 0;
        for (var read = 0; read < symbols.Length; read++, write++)
        {
            if (symbols[read] != left || read + 1 >= symbols.Length || symbols[read + 1] != right)
            {
                symbols[write] = symbols[read];
                if (!lengths.IsEmpty) lengths[write] = lengths[read];
                continue;
            }

            var length = lengths.IsEmpty ? 0 : lengths[read] + lengths[read + 1];
            if (write > 0)
            {
                Change(new(symbols[write - 1], left), -frequency, word, found: false);
                if (lengths.IsEmpty || lengths[write - 1] + length < _maxTokenLength) Change(new(symbols[write - 1], merged), frequency, word, found: true);
            }

            read++;
            if (read + 1 < symbols.Length)
            {
                Change(new(right, symbols[read + 1]), -frequency, word, found: false);
                if (lengths.IsEmpty || lengths[read + 1] + length < _maxTokenLength) Change(new(merged, symbols[read + 1]), frequency, word, found: true);
            }

            symbols[write] = merged;
            if (!lengths.IsEmpty) lengths[write] = length;
        }

        _counts[word] = write;
    }

    private void Change(Pair pair, long change, int word, bool found)
    {
        ref var place = ref CollectionsMarshal.GetValueRefOrAddDefault(_places, pair, out var known);
        if (!known)
        {
            place = _pairs.Count;
            _pairs.Add(new(pair, 0, null));
        }

        ref var tally = ref CollectionsMarshal.AsSpan(_pairs)[place];
        tally.Count += change;
        if (!found) return;
        if (tally.Words is not { } words)
        {
            tally.Words = words = [];
            _touched.Add(place);
        }

        if (words.Count == 0 || words[^1] != word) words.Add(word);
    }

    // Each round's pairs become entries with the words of that round alone, as in the reference.
    private void Enqueue()
    {
        var pairs = CollectionsMarshal.AsSpan(_pairs);
        foreach (var place in _touched)
        {
            ref var tally = ref pairs[place];
            if (tally.Count > 0) _queue.Enqueue(new(place, tally.Count, tally.Words!), (-tally.Count, tally.Pair.Order));
            tally.Words = null;
        }

        _touched.Clear();
    }

    private readonly record struct Pair(int Left, int Right)
    {
        public ulong Order => (ulong)(uint)Left << 32 | (uint)Right;

        // The two numbers are of the same range: they must not cancel each other.
        public override int GetHashCode() => (int)(Order * 0x9E3779B97F4A7C15UL >> 32);
    }

    // How often a pair occurs, and the words in which this round found it.
    private record struct Tally(Pair Pair, long Count, List<int>? Words);

    private readonly record struct Entry(int Place, long Count, List<int> Words);
}
