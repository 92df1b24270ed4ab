// Exploring the Space of Topic Coherence Measures. Röder, Both, Hinneburg. WSDM 2015; as in gensim's CoherenceModel.
namespace ModelZoo.Networks.Metrics;

/// <summary>How well the words of a topic support each other in a corpus.</summary>
public sealed class TopicCoherence
{
    private const double Epsilon = 1e-12;
    private readonly Dictionary<string, int> _ids;
    private readonly long[] _occurrences;
    private readonly long[,] _together;
    private long _count;

    private TopicCoherence(IReadOnlyList<IReadOnlyList<string>> topics)
    {
        _ids = topics.SelectMany(topic => topic).Distinct().Select((word, i) => (word, i)).ToDictionary(entry => entry.word, entry => entry.i);
        _occurrences = new long[_ids.Count];
        _together = new long[_ids.Count, _ids.Count];
    }

    /// <summary>Coherence of each topic.</summary>
    /// <param name="measure"><c>u_mass</c>, <c>c_uci</c>, <c>c_npmi</c> or <c>c_v</c>.</param>
    /// <param name="window">Words of a sliding window; null for the measure's own (10, 10, 110). u_mass counts whole documents.</param>
    /// <exception cref="ArgumentException">There is no such measure.</exception>
    public static double[] Score(IReadOnlyList<IReadOnlyList<string>> topics, IReadOnlyList<IReadOnlyList<string>> texts, string measure, int? window = null)
    {
        var statistics = new TopicCoherence(topics);
        if (measure == "u_mass") statistics.CountDocuments(texts);
        else statistics.CountWindows(texts, window ?? (measure == "c_v" ? 110 : 10));
        return [.. topics.Select(topic => measure switch
        {
            "u_mass" => topic.SelectMany((word, i) => topic.Take(i).Select(earlier => statistics.LogConditional(word, earlier))).Average(),
            "c_uci" => Pairs(topic).Average(pair => statistics.LogRatio(pair.A, pair.B)),
            "c_npmi" => Pairs(topic).Average(pair => statistics.NormalizedLogRatio(pair.A, pair.B)),
            "c_v" => statistics.ContextSimilarity(topic),
            _ => throw new ArgumentException($"No measure '{measure}'.", nameof(measure)),
        })];
    }

    private static IEnumerable<(string A, string B)> Pairs(IReadOnlyList<string> topic) =>
        topic.SelectMany((a, i) => topic.Where((_, j) => j != i).Select(b => (a, b)));

    private void CountDocuments(IReadOnlyList<IReadOnlyList<string>> texts)
    {
        foreach (var text in texts) Seen([.. text.Where(_ids.ContainsKey).Select(word => _ids[word]).Distinct()]);
    }

    private void CountWindows(IReadOnlyList<IReadOnlyList<string>> texts, int size)
    {
        foreach (var text in texts)
        {
            var ids = text.Select(word => _ids.GetValueOrDefault(word, -1)).ToArray();

            // As published: a word that leaves the window counts as gone even if it is there a second time.
            var present = ids.Take(size).Where(id => id >= 0).ToHashSet();
            Seen(present);
            for (var start = 1; start + size <= ids.Length; start++)
            {
                present.Remove(ids[start - 1]);
                if (ids[start + size - 1] is var entering and >= 0) present.Add(entering);
                Seen(present);
            }
        }
    }

    private void Seen(HashSet<int> present)
    {
        _count++;
        foreach (var a in present)
        {
            _occurrences[a]++;
            foreach (var b in present) _together[a, b]++;
        }
    }

    private double Share(string word) => (double)_occurrences[_ids[word]] / _count;

    private double Share(string a, string b) => (double)_together[_ids[a], _ids[b]] / _count;

    private double LogConditional(string word, string given) => Share(given) == 0 ? 0 : Math.Log((Share(word, given) + Epsilon) / Share(given));

    private double LogRatio(string a, string b) => Share(a) * Share(b) == 0 ? 0 : Math.Log((Share(a, b) + Epsilon) / (Share(a) * Share(b)));

    private double NormalizedLogRatio(string a, string b) => LogRatio(a, b) / -Math.Log(Share(a, b) + Epsilon);

    // Cosine of each word's vector of confirmations by the topic's words with the sum of all such vectors.
    private double ContextSimilarity(IReadOnlyList<string> topic)
    {
        var vectors = topic.Select(word => topic.Select(other => NormalizedLogRatio(word, other)).ToArray()).ToArray();
        var sum = topic.Select((_, j) => vectors.Sum(vector => vector[j])).ToArray();
        return vectors.Average(vector => Cosine(vector, sum));
    }

    private static double Cosine(double[] a, double[] b)
    {
        var norm = Math.Sqrt(a.Sum(x => x * x) * b.Sum(x => x * x));
        return norm == 0 ? 0 : a.Zip(b, (x, y) => x * y).Sum() / norm;
    }
}
