using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What a word is, for parts of a metric.</summary>
internal enum WordKind
{
    /// <summary>Letters.</summary>
    Plain,
    /// <summary>With a digit in it.</summary>
    Number,
    /// <summary>Neither letters nor digits.</summary>
    Punctuation,
}

/// <summary>What is measured of a model of words.</summary>
internal static class WordMetrics
{
    private const string Hits = "word_hits", Kinds = "word_kinds", Keys = "word_keys", Once = "once";

    /// <summary>Share of words that are the most probable, spelled greedily, given all words before them.</summary>
    public static IMetric NextWordAccuracy { get; } = new Accuracy();

    private static WordKind KindOf(string word) => word.Any(char.IsDigit) ? WordKind.Number : word.Any(char.IsLetter) ? WordKind.Plain : WordKind.Punctuation;

    /// <summary>The observation, with whether each word was foreseen.</summary>
    public static Observation Of(Observation observation, bool[] hits, IReadOnlyList<string> words)
    {
        var values = new Dictionary<string, Tensor>(((NamedTensors)observation.Output!).Values)
        {
            [Hits] = Tensor.Create(Array.ConvertAll(hits, hit => hit ? 1L : 0), hits.Length),
            [Kinds] = Tensor.Create([.. words.Select(word => (long)KindOf(word))], words.Count),
            [Keys] = Tensor.Create([.. words.Select(Key)], words.Count),
        };
        return observation with { Output = new NamedTensors(values) };
    }

    // FNV-1a: equal words have equal keys in every process.
    private static long Key(string word)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var unit in word) hash = (hash ^ unit) * 0x100000001B3;
        return unchecked((long)hash);
    }

    private sealed record Accuracy : IMetric
    {
        public string Name => "next-word-accuracy";

        public string Unit => "";

        public bool? HigherIsBetter => true;

        public string Description => "Share of words that greedy spelling gives from all words before them, to their end (arXiv:2310.11628, section 4); parts for words with digits, for punctuation, and for words that the corpus has once.";

        public IMetricAccumulator Start() => new Accumulator();

        private sealed class Accumulator : IMetricAccumulator
        {
            private readonly long[] _hits = new long[Enum.GetValues<WordKind>().Length], _words = new long[Enum.GetValues<WordKind>().Length];
            private readonly Dictionary<long, (int Count, long Hits)> _byWord = [];
            private int _taken, _leftOut;

            public void Add(Observation observation)
            {
                if (observation.Output is not NamedTensors { Values: var values } || values.GetValueOrDefault(Hits) is not Tensor<long> { Length: > 0 } hits || values.GetValueOrDefault(Kinds) is not Tensor<long> kinds || values.GetValueOrDefault(Keys) is not Tensor<long> keys)
                {
                    _leftOut++;
                    return;
                }

                _taken++;
                for (var i = 0; i < hits.Length; i++)
                {
                    _words[kinds.Span[i]]++;
                    _hits[kinds.Span[i]] += hits.Span[i];
                    var (count, known) = _byWord.GetValueOrDefault(keys.Span[i]);
                    _byWord[keys.Span[i]] = (count + 1, known + hits.Span[i]);
                }
            }

            public MetricValue? Result()
            {
                if (_taken == 0) return null;
                var parts = Enum.GetValues<WordKind>().Where(kind => _words[(int)kind] > 0).Select(kind => KeyValuePair.Create(kind.ToString().ToLowerInvariant(), (double)_hits[(int)kind] / _words[(int)kind])).ToList();
                var once = _byWord.Values.Where(word => word.Count == 1).ToArray();
                if (once.Length > 0) parts.Add(new(Once, (double)once.Sum(word => word.Hits) / once.Length));
                return new((double)_hits.Sum() / _words.Sum(), _taken, null) { LeftOut = _leftOut, Parts = parts };
            }
        }
    }
}
