using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
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
        var counts = WordFinder.TryMake(Normalizer, PreTokenizer) is { } finder ? CountWords(lines, finder, cancel) : CountLines(lines, cancel);
        var sorted = counts.ToArray();
        Array.Sort(Array.ConvertAll(sorted, static word => (Hash(word.Key), word.Key)), sorted, Comparer<(ulong, string)>.Create(static (a, b) =>
            a.Item1 != b.Item1 ? a.Item1.CompareTo(b.Item1) : string.CompareOrdinal(a.Item2, b.Item2)));
        return sorted;
    }

    private Dictionary<string, long> CountLines(IEnumerable<string> lines, CancellationToken cancel)
    {
        var counts = new Dictionary<string, long>();
        var options = new ParallelOptions { CancellationToken = cancel };
        Parallel.ForEach(Partitioner.Create(lines, EnumerablePartitionerOptions.None), options, static () => new Dictionary<string, long>(), (line, _, table) =>
        {
            foreach (var word in Words(line)) CollectionsMarshal.GetValueRefOrAddDefault(table, word, out bool _)++;
            return table;
        },
        table =>
        {
            lock (counts)
            {
                foreach (var (word, count) in table) CollectionsMarshal.GetValueRefOrAddDefault(counts, word, out _) += count;
            }
        });
        return counts;
    }

    // Raw words are counted first, and only each different one is normalized and cut.
    private Dictionary<string, long> CountWords(IEnumerable<string> lines, WordFinder finder, CancellationToken cancel)
    {
        var total = new PieceCounter(); // a word with its place before it
        var options = new ParallelOptions { CancellationToken = cancel };
        Parallel.ForEach(Partitioner.Create(lines, EnumerablePartitionerOptions.None), options, static () => new PieceCounter(), (line, _, counter) =>
        {
            var utf8 = new byte[1 + Encoding.UTF8.GetMaxByteCount(line.Length)];
            var text = utf8.AsSpan(1, Encoding.UTF8.GetBytes(line, utf8.AsSpan(1)));
            var at = 0;
            for (var place = WordPlace.Start | WordPlace.TextStart; at < text.Length; place = WordPlace.Inside)
            {
                var length = finder.Next(text[at..], ref place);
                utf8[at] = (byte)place; // what stood there is counted
                counter.Add(utf8.AsSpan(at, 1 + length));
                at += length;
            }

            return counter;
        },
        counter =>
        {
            lock (total) total.Add(counter);
        });

        var counts = new Dictionary<string, long>();
        foreach (var (word, count) in total.Pieces)
        {
            cancel.ThrowIfCancellationRequested();
            var place = (WordPlace)word.Span[0];
            var text = WordFinder.ToText(word.Span[1..], place);
            var pieces = new PieceList(finder.NormalizerAt(place)?.Apply(text) ?? text);
            PreTokenizer!.Apply(pieces);
            foreach (var piece in pieces.Pieces) CollectionsMarshal.GetValueRefOrAddDefault(counts, piece.Text.ToString(), out _) += count;
        }

        return counts;
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
