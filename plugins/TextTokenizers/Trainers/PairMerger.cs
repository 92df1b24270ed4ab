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
    private readonly Dictionary<ulong, long> _pairs = [];
    private readonly PriorityQueue<Entry, (long, ulong)> _queue = new();
    private readonly Dictionary<ulong, List<int>> _touched = [];

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
            var count = _pairs[top.Pair];
            if (top.Count == count) return ((int)(top.Pair >> 32), (int)top.Pair, count);
            _queue.DequeueEnqueue(top with { Count = count }, (-count, top.Pair));
        }

        return null;
    }

    /// <summary>Joins the pair that <see cref="Next"/> gave into <paramref name="merged"/>, wherever it stands.</summary>
    public void Merge(int merged)
    {
        var (pair, _, words) = _queue.Dequeue();
        var (left, right) = ((int)(pair >> 32), (int)pair);
        foreach (var word in CollectionsMarshal.AsSpan(words)) Merge(word, left, right, merged);
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
        for (var i = 0; i + 1 < symbols.Length; i++) Change(Key(symbols[i], symbols[i + 1]), _frequencies[word], word, found: true);
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
                Change(Key(symbols[write - 1], left), -frequency, word, found: false);
                if (lengths.IsEmpty || lengths[write - 1] + length < _maxTokenLength) Change(Key(symbols[write - 1], merged), frequency, word, found: true);
            }

            read++;
            if (read + 1 < symbols.Length)
            {
                Change(Key(right, symbols[read + 1]), -frequency, word, found: false);
                if (lengths.IsEmpty || lengths[read + 1] + length < _maxTokenLength) Change(Key(merged, symbols[read + 1]), frequency, word, found: true);
            }

            symbols[write] = merged;
            if (!lengths.IsEmpty) lengths[write] = length;
        }

        _counts[word] = write;
    }

    private void Change(ulong pair, long change, int word, bool found)
    {
        CollectionsMarshal.GetValueRefOrAddDefault(_pairs, pair, out _) += change;
        if (!found) return;
        var words = CollectionsMarshal.GetValueRefOrAddDefault(_touched, pair, out _) ??= [];
        if (words.Count == 0 || words[^1] != word) words.Add(word);
    }

    // Each round's pairs become entries with the words of that round alone, as in the reference.
    private void Enqueue()
    {
        foreach (var (pair, words) in _touched)
        {
            var count = _pairs[pair];
            if (count > 0) _queue.Enqueue(new(pair, count, words), (-count, pair));
        }

        _touched.Clear();
    }

    private static ulong Key(int left, int right) => (ulong)(uint)left << 32 | (uint)right;

    private readonly record struct Entry(ulong Pair, long Count, List<int> Words);
}
