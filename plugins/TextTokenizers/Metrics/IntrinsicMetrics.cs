using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Metrics;

/// <summary>What can be said of a tokenizer from a corpus alone, after the family's metric and analysis papers.</summary>
internal static class IntrinsicMetrics
{
    private const double RenyiOrder = 2.5;

    /// <summary>The metrics, by name.</summary>
    public static IReadOnlyList<IMetric> All { get; } =
    [
        new Corpus("bytes-per-token", "B", true, "UTF-8 bytes of the corpus over its tokens (An Information-Theoretic Perspective on LLM Tokenizers).", c => (double)c.Bytes / c.Tokens),
        new Corpus("characters-per-token", "", true, "Code points of the corpus over its tokens.", c => (double)c.Characters / c.Tokens),
        new Corpus("fertility", "", false, "Tokens that touch a word, averaged over the words between white space (Rust et al. 2021).", c => c.Words == 0 ? null : (double)c.WordTokens / c.Words),
        new Corpus("continued-words", "", false, "Share of the words that are cut into two or more tokens (Rust et al. 2021).", c => c.Words == 0 ? null : (double)c.ContinuedWords / c.Words),
        new Corpus("round-trip", "", true, "Share of the texts that decoding restores exactly.", c => (double)c.Restored / c.Texts),
        new Corpus("renyi-efficiency", "", true, "Renyi entropy of order 2.5 of the tokens over the logarithm of the vocabulary size (Tokenization and the Noiseless Channel, equation 7).",
            c => c.Vocabulary < 2 ? null : TokenizationScorer.RenyiEfficiency(c.Shares, RenyiOrder, c.Vocabulary)),
        new Corpus("shannon-efficiency", "", true, "Entropy of the tokens over the logarithm of the vocabulary size (Tokenization and the Noiseless Channel).",
            c => c.Vocabulary < 2 ? null : TokenizationScorer.RenyiEfficiency(c.Shares, 1, c.Vocabulary)),
        new Corpus("percentile-frequency", "", true, "Share of the tokens whose types rank from the 3rd to the 83rd percentile (Gowda and May 2020, as in tokenization-scorer).", c => TokenizationScorer.PercentileFrequency(c.Shares, 0.03, 0.83)),
        new Corpus("unigram-entropy", "bit", null, "Entropy of the tokens, plug-in.", c => TokenizationScorer.RenyiEntropy(c.Shares, 1)),
        new Corpus("conditional-entropy", "bit", null, "Entropy of a token given the one before it, plug-in (An Information-Theoretic Perspective on LLM Tokenizers).", c => c.ConditionalEntropy),
        new Corpus("unigram-bits-per-byte", "bit", false, "Length of an ideal code of the tokens over the corpus' bytes (An Information-Theoretic Perspective on LLM Tokenizers).",
            c => c.Bytes == 0 ? null : TokenizationScorer.RenyiEntropy(c.Shares, 1) * c.Tokens / c.Bytes),
        new Corpus("vocabulary-used", "", true, "Share of the vocabulary that occurs in the corpus.", c => c.Vocabulary == 0 ? null : (double)c.Types.Length / c.Vocabulary),
        new Corpus("number-consistency", "", true, "Chance that two numbers with as many digits are cut alike (after: Pitfalls of Representing and Tokenizing Temporal Data).", c => c.NumberConsistency),
        new Corpus("tokens-per-number", "", false, "Tokens that a run of digits is cut into, on average (after: Pitfalls of Representing and Tokenizing Temporal Data).",
            c => c.Digits.Numbers == 0 ? null : (double)c.Digits.Tokens / c.Digits.Numbers),
        new Corpus("boundary-f1", "", true, "F1 of the places where words are cut against those between their morphemes, over all words together; needs words with morphemes (Rethinking Tokenization for Rich Morphology).",
            c => c.Boundaries.Given == 0 ? null : 2.0 * c.Boundaries.Both / (c.Boundaries.Found + c.Boundaries.Given)),
        new Corpus("token-classes", "", true, "Share of the tokens that hold letters of one script alone; the parts are the shares of Qtok's classes.",
            c => c.Classes.Count == 0 ? null : c.Classes.Where(entry => entry.Key.EndsWith("_alpha", StringComparison.Ordinal)).Sum(entry => (double)entry.Value) / c.Classes.Values.Sum(),
            c => [.. c.Classes.OrderByDescending(entry => entry.Value).Select(entry => KeyValuePair.Create(entry.Key, (double)entry.Value / c.Classes.Values.Sum()))]),
        new Corpus("token-premium", "", false, "Most tokens of a label (a language: the sub-folder of parallel texts) over the fewest (after: Explaining and Mitigating Crosslingual Tokenizer Inequities).",
            c => c.OfLabel.Count < 2 ? null : (double)c.OfLabel.Values.Max() / c.OfLabel.Values.Min(),
            c => c.OfLabel.Count < 2 ? [] : [.. c.OfLabel.OrderBy(pair => pair.Value).Select(pair => KeyValuePair.Create(pair.Key, (double)pair.Value / c.OfLabel.Values.Min()))]),
    ];

    private sealed record Corpus(
        string Name, string Unit, bool? HigherIsBetter, string Description, Func<TokenCounts, double?> Measure, Func<TokenCounts, IReadOnlyList<KeyValuePair<string, double>>>? Parts = null) : IMetric
    {
        public IMetricAccumulator Start() => new Accumulator(this);

        private sealed class Accumulator(Corpus metric) : IMetricAccumulator
        {
            private readonly TokenCounts _counts = new();
            private int _leftOut;

            public void Add(Observation observation)
            {
                if (!_counts.Add(observation)) _leftOut++;
            }

            public MetricValue? Result() => _counts.Tokens > 0 && metric.Measure(_counts) is { } value
                ? new(value, (int)_counts.Texts, null) { LeftOut = _leftOut, Parts = metric.Parts?.Invoke(_counts) ?? [] }
                : null;
        }
    }
}
