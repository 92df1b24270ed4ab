using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>What happens to a corpus before it is counted: lines are normalized and cut into words.</summary>
/// <param name="Normalizer">Changes each line; null for none.</param>
/// <param name="PreTokenizer">Cuts each line; null leaves lines whole.</param>
public sealed record TrainingPipeline(Normalizer? Normalizer, PreTokenizer? PreTokenizer)
{
    /// <summary>The words of a line.</summary>
    public IEnumerable<string> Words(string line)
    {
        if (Normalizer is not null) line = Normalizer.Normalize(line);
        return PreTokenizer is null ? [line] : PreTokenizer.PreTokenize(line).Select(piece => piece.Text);
    }

    /// <summary>Words and how often each occurs, counted on all cores. They come shuffled by a hash, as the library takes them, where common letters meet the trainer early; but the same on every run.</summary>
    public IReadOnlyList<KeyValuePair<string, long>> Count(IEnumerable<string> lines, CancellationToken cancel = default)
    {
        var tables = new ConcurrentBag<Dictionary<string, long>>();
        Parallel.ForEach(
            Partitioner.Create(lines, EnumerablePartitionerOptions.None),
            new() { CancellationToken = cancel },
            () => new Dictionary<string, long>(),
            (line, state, table) =>
            {
                foreach (var word in Words(line)) CollectionsMarshal.GetValueRefOrAddDefault(table, word, out _)++;
                return table;
            },
            tables.Add);

        var counts = new Dictionary<string, long>();
        foreach (var (word, count) in tables.SelectMany(table => table)) CollectionsMarshal.GetValueRefOrAddDefault(counts, word, out _) += count;
        var sorted = counts.ToArray();
        Array.Sort(Array.ConvertAll(sorted, static word => (Hash(word.Key), word.Key)), sorted, Comparer<(ulong, string)>.Create(static (a, b) =>
            a.Item1 != b.Item1 ? a.Item1.CompareTo(b.Item1) : string.CompareOrdinal(a.Item2, b.Item2)));
        return sorted;
    }

    // FNV-1a over UTF-16 units.
    private static ulong Hash(string word)
    {
        var hash = 14695981039346656037UL;
        foreach (var unit in word) hash = (hash ^ unit) * 1099511628211UL;
        return hash;
    }
}

/// <summary>What training gives.</summary>
/// <param name="Tokens">Tokens by id.</param>
/// <param name="Merges">Pairs in the order of merging; empty for models without merges.</param>
public sealed record TrainedVocabulary(IReadOnlyList<string> Tokens, IReadOnlyList<(string Left, string Right)> Merges)
{
    /// <summary>Log-probabilities by id, for unigram models.</summary>
    public IReadOnlyList<double> Scores { get; init; } = [];
}
