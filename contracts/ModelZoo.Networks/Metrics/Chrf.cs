// chrF: character n-gram F-score for automatic MT evaluation. Popovic. WMT 2015; chrF++ (WMT 2017). Conventions of sacreBLEU.
using ModelZoo.Networks.Strings;

namespace ModelZoo.Networks.Metrics;

/// <summary>F-score of character n-grams, and of word n-grams in chrF++; 0 to 100.</summary>
/// <param name="CharacterOrder">Longest character n-gram.</param>
/// <param name="WordOrder">Longest word n-gram; 0 for chrF.</param>
/// <param name="Beta">Weight of recall.</param>
public sealed record Chrf(int CharacterOrder = 6, int WordOrder = 0, double Beta = 2)
{
    /// <summary>Ignore case.</summary>
    public bool Lowercase { get; init; }

    /// <summary>Count white space as characters.</summary>
    public bool Whitespace { get; init; }

    /// <summary>Average the F-scores of all orders, with a tiny value for missing ones, instead of precision and recall of those that occur.</summary>
    public bool EpsilonSmoothing { get; init; }

    /// <summary>Of one sentence: that of its best reference.</summary>
    public double Sentence(string hypothesis, IReadOnlyList<string> references) => FScore(Best(hypothesis, references));

    /// <summary>Of a corpus: the statistics of each sentence's best reference, summed.</summary>
    public double Corpus(IReadOnlyList<string> hypotheses, IReadOnlyList<IReadOnlyList<string>> references)
    {
        var sums = new long[3 * (CharacterOrder + WordOrder)];
        for (var i = 0; i < hypotheses.Count; i++)
        {
            var statistics = Best(hypotheses[i], references[i]);
            for (var k = 0; k < sums.Length; k++) sums[k] += statistics[k];
        }

        return FScore(sums);
    }

    private long[] Best(string hypothesis, IReadOnlyList<string> references)
    {
        var ours = Counts(hypothesis);
        return references.Select(reference => Statistics(ours, Counts(reference))).MaxBy(FScore)!;
    }

    // For each order: n-grams of the hypothesis, of the reference, of both.
    private static long[] Statistics(Dictionary<string, int>[] hypothesis, Dictionary<string, int>[] reference) =>
        [.. hypothesis.Zip(reference).SelectMany(pair => new long[] { pair.Second.Count > 0 ? pair.First.Values.Sum() : 0, pair.Second.Values.Sum(), NGrams.Overlap(pair.First, pair.Second) })];

    private Dictionary<string, int>[] Counts(string text)
    {
        if (Lowercase) text = PythonText.Lower(text);
        var characters = (Whitespace ? text : string.Concat(BleuTokenizer.Split(text))).EnumerateRunes().Select(rune => rune.ToString()).ToList();
        var words = BleuTokenizer.Split(text).SelectMany(SplitPunctuation).ToList();
        return [.. Enumerable.Range(1, CharacterOrder).Select(n => NGrams.Count(characters, n)), .. Enumerable.Range(1, WordOrder).Select(n => NGrams.Count(words, n))];
    }

    // One mark at the end or else at the start, as published.
    private static string[] SplitPunctuation(string word) =>
        word.Length == 1 ? [word] : IsMark(word[^1]) ? [word[..^1], word[^1..]] : IsMark(word[0]) ? [word[..1], word[1..]] : [word];

    private static bool IsMark(char c) => char.IsAscii(c) && (char.IsPunctuation(c) || char.IsSymbol(c));

    private double FScore(long[] statistics)
    {
        const double Tiny = 1e-16;
        var (factor, orders, smoothed) = (Beta * Beta, 0, 0.0);
        var (precisions, recalls) = (0.0, 0.0);
        for (var i = 0; i < statistics.Length; i += 3)
        {
            var (ours, theirs, both) = (statistics[i], statistics[i + 1], statistics[i + 2]);
            var precision = ours > 0 ? (double)both / ours : Tiny;
            var recall = theirs > 0 ? (double)both / theirs : Tiny;
            var denominator = factor * precision + recall;
            smoothed += denominator > 0 ? (1 + factor) * precision * recall / denominator : Tiny;
            if (ours == 0 || theirs == 0) continue;
            (precisions, recalls, orders) = (precisions + precision, recalls + recall, orders + 1);
        }

        if (EpsilonSmoothing) return 100 * smoothed / (statistics.Length / 3);
        if (precisions + recalls == 0) return 0;
        return 100 * (1 + factor) * precisions * recalls / (factor * precisions + recalls) / orders;
    }
}
