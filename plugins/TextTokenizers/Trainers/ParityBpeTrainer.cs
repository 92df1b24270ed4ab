// Parity-Aware Byte-Pair Encoding: Improving Cross-lingual Fairness in Tokenization. Foroutan, Meister, Paul, Niklaus, Ahmadi, Bosselut, Sennrich. arXiv:2508.04796. github.com/swiss-ai/parity-aware-bpe
// As the trainer of Hugging Face tokenizers 0.23 learns it. Deviations: none.
using System.Runtime.InteropServices;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>Settings of parity-aware training; names as in Hugging Face tokenizers.</summary>
public sealed record ParityBpeTrainerOptions
{
    /// <summary>Merges to learn.</summary>
    public int NumMerges { get; init; } = 32000;

    /// <summary>True for the moving window, which keeps a language from being chosen too often in a row.</summary>
    public bool Window { get; init; }

    /// <summary>Rarer pairs are not merged.</summary>
    public long MinFrequency { get; init; }

    /// <summary>Wanted compression of each language, in place of a development set; null for none.</summary>
    public IReadOnlyList<double>? Ratio { get; init; }

    /// <summary>First merges that are chosen by the counts of all languages together.</summary>
    public int GlobalMerges { get; init; }

    /// <summary>Choices that the window looks back on.</summary>
    public int WindowSize { get; init; } = 100;

    /// <summary>A language may have this many times its even share of the window.</summary>
    public double Alpha { get; init; } = 2;

    /// <summary>True when the number of characters counts as merges.</summary>
    public bool TotalSymbols { get; init; }

    /// <summary>How words are spelled: alphabet, special tokens, marks, longest token.</summary>
    public BpeTrainerOptions Symbols { get; init; } = new();
}

/// <summary>BPE in which each merge is chosen for the language that is compressed worst at the time.</summary>
public static class ParityBpeTrainer
{
    /// <summary>Learns a vocabulary from each language's words, watching each language's development words, if any.</summary>
    public static TrainedVocabulary Train(
        IReadOnlyList<IReadOnlyList<KeyValuePair<string, long>>> languages, IReadOnlyList<IReadOnlyList<KeyValuePair<string, long>>> development,
        ParityBpeTrainerOptions options, CancellationToken cancel = default)
    {
        if (options.Ratio is { } ratio && ratio.Count != languages.Count)
            throw new OptionsException(ErrorCodes.OptionRange, "Each language needs its ratio.") { Where = "ratio", Expected = $"{languages.Count} numbers", Found = $"{ratio.Count}" };
        var symbols = options.Symbols;
        var table = new SymbolTable(
            symbols.SpecialTokens, languages.Concat(development).SelectMany(words => words), symbols.InitialAlphabet, symbols.LimitAlphabet, symbols.ContinuingSubwordPrefix, symbols.EndOfWordSuffix);
        LanguagePairs[] training = [.. languages.Select(words => new LanguagePairs(words, table, symbols.MaxTokenLength ?? int.MaxValue))];
        LanguagePairs[] watched = options.Ratio is null && development.Count > 0 ? [.. development.Select(words => new LanguagePairs(words, table, int.MaxValue))] : training;
        double[] initial = [.. training.Select(language => (double)language.Length)];
        var chooser = new Chooser(options, languages.Count);
        var merges = new List<(string, string)>();
        var count = options.NumMerges - (options.TotalSymbols ? Characters(languages) : 0);
        while (merges.Count < count && !chooser.IsDone)
        {
            cancel.ThrowIfCancellationRequested();
            var global = merges.Count < options.GlobalMerges;
            var language = global ? -1 : chooser.Choose([.. watched.Select((words, i) => options.Ratio is null ? words.Length : -(initial[i] / training[i].Length / options.Ratio[i]))]);
            var best = global ? LanguagePairs.BestOfAll(training, table) : training[language].Best();
            if (best is not { } pair || pair.Count < options.MinFrequency)
            {
                if (global) break;
                chooser.Exhaust(language);
                continue;
            }

            merges.Add((table.Tokens[pair.Left], table.Tokens[pair.Right]));
            var merged = table.Join(pair.Left, pair.Right);
            foreach (var words in training.Union(watched)) words.Merge(pair.Left, pair.Right, merged);
        }

        return new(table.Tokens, merges);
    }

    // Characters inside of words and at their ends, counted apart.
    private static int Characters(IReadOnlyList<IReadOnlyList<KeyValuePair<string, long>>> languages)
    {
        var (inside, last) = (new HashSet<string>(), new HashSet<string>());
        foreach (var letters in languages.SelectMany(words => words).Select(word => Scalars.Split(word.Key)).Where(letters => letters.Length > 0))
        {
            inside.UnionWith(letters[..^1]);
            last.Add(letters[^1]);
        }

        return inside.Count + last.Count;
    }

    /// <summary>Chooses the language with the greatest need.</summary>
    private sealed class Chooser(ParityBpeTrainerOptions options, int languages)
    {
        private readonly HashSet<int> _exhausted = [];
        private readonly Queue<int> _chosen = [];

        public bool IsDone => _exhausted.Count >= languages;

        public void Exhaust(int language) => _exhausted.Add(language);

        public int Choose(double[] need)
        {
            foreach (var language in _exhausted) need[language] = double.NegativeInfinity;
            if (!options.Window) return Array.IndexOf(need, need.Max());
            var best = InWindow(need);
            _chosen.Enqueue(best);
            if (_chosen.Count > options.WindowSize) _chosen.Dequeue();
            return best;
        }

        private int InWindow(double[] need)
        {
            var masked = new HashSet<int>();
            while (true)
            {
                var best = Enumerable.Range(0, languages).Where(language => !masked.Contains(language)).DefaultIfEmpty(0).MaxBy(language => need[language]);
                if ((double)_chosen.Count(language => language == best) / options.WindowSize <= options.Alpha / languages) return best;
                masked.Add(best);
                if (masked.Count == languages) return best;
            }
        }
    }
}

/// <summary>One language's words and pair counts; of equal counts the pair with the greater strings is the best.</summary>
internal sealed class LanguagePairs
{
    private readonly List<(List<int> Symbols, List<int> Lengths, long Frequency)> _words = [];
    private readonly Dictionary<(int Left, int Right), long> _counts = [];
    private readonly Dictionary<(int, int), HashSet<int>> _places = [];
    private readonly PriorityQueue<((int Left, int Right) Pair, long Count), (long Count, string Left, string Right)> _queue;
    private readonly SymbolTable _table;
    private readonly int _maxTokenLength;

    public LanguagePairs(IEnumerable<KeyValuePair<string, long>> words, SymbolTable table, int maxTokenLength)
    {
        (_table, _maxTokenLength) = (table, maxTokenLength);
        _queue = new(Comparer<(long Count, string Left, string Right)>.Create(static (a, b) =>
            a.Count != b.Count ? b.Count.CompareTo(a.Count) : Scalars.Compare(a.Left, b.Left) is not 0 and var left ? -left : Scalars.Compare(b.Right, a.Right)));
        foreach (var (word, frequency) in words)
        {
            List<int> symbols = [.. table.Spell(word)];
            _words.Add((symbols, [.. symbols.Select(_ => 1)], frequency));
            Length += symbols.Count * frequency;
            for (var i = 0; i + 1 < symbols.Count; i++) Change((symbols[i], symbols[i + 1]), frequency, _words.Count - 1, found: true);
        }

        foreach (var pair in _counts.Keys) Enqueue(pair);
    }

    /// <summary>Symbols of all words, times their counts.</summary>
    public long Length { get; private set; }

    /// <summary>The pair that occurs most.</summary>
    public (int Left, int Right, long Count)? Best()
    {
        while (_queue.TryDequeue(out var top, out _))
        {
            var count = _counts.GetValueOrDefault(top.Pair);
            if (count <= 0) continue;
            if (count == top.Count) return (top.Pair.Left, top.Pair.Right, count);
            Enqueue(top.Pair);
        }

        return null;
    }

    /// <summary>The pair that occurs most in all languages together.</summary>
    public static (int Left, int Right, long Count)? BestOfAll(IEnumerable<LanguagePairs> languages, SymbolTable table)
    {
        var totals = new Dictionary<(int Left, int Right), long>();
        foreach (var (pair, count) in languages.SelectMany(language => language._counts).Where(pair => pair.Value > 0)) CollectionsMarshal.GetValueRefOrAddDefault(totals, pair, out _) += count;
        if (totals.Count == 0) return null;
        var most = totals.Values.Max();
        var best = totals.Where(pair => pair.Value == most).Select(pair => pair.Key).OrderByDescending(pair => table.Tokens[pair.Left], Scalars.ByCodePoint).ThenByDescending(pair => table.Tokens[pair.Right], Scalars.ByCodePoint).First();
        return (best.Left, best.Right, most);
    }

    /// <summary>Joins a pair wherever it stands.</summary>
    public void Merge(int left, int right, int merged)
    {
        if (!_places.Remove((left, right), out var places)) return;
        var changed = new HashSet<(int, int)>();
        foreach (var place in places) Merge(place, left, right, merged, changed);
        _counts[(left, right)] = 0;
        foreach (var pair in changed) Enqueue(pair);
    }

    private void Merge(int place, int left, int right, int merged, HashSet<(int, int)> changed)
    {
        var (symbols, lengths, frequency) = _words[place];
        for (var i = 0; i + 1 < symbols.Count; i++)
        {
            if (symbols[i] != left || symbols[i + 1] != right) continue;
            var length = lengths[i] + lengths[i + 1];
            symbols[i] = merged;
            lengths[i] = length;
            symbols.RemoveAt(i + 1);
            lengths.RemoveAt(i + 1);
            Length -= frequency;
            if (i > 0) Exchange((symbols[i - 1], left), (symbols[i - 1], merged), lengths[i - 1] + length);
            if (i + 1 < symbols.Count) Exchange((right, symbols[i + 1]), (merged, symbols[i + 1]), lengths[i + 1] + length);
        }

        void Exchange((int, int) before, (int, int) after, int length)
        {
            Change(before, -frequency, place, found: false);
            changed.Add(before);
            if (length >= _maxTokenLength) return;
            Change(after, frequency, place, found: true);
            changed.Add(after);
        }
    }

    private void Change((int, int) pair, long change, int place, bool found)
    {
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, pair, out _) += change;
        if (found) (CollectionsMarshal.GetValueRefOrAddDefault(_places, pair, out _) ??= []).Add(place);
    }

    private void Enqueue((int Left, int Right) pair)
    {
        var count = _counts[pair];
        if (count > 0) _queue.Enqueue((pair, count), (count, _table.Tokens[pair.Left], _table.Tokens[pair.Right]));
    }
}
