namespace ModelZoo.Networks.Metrics;

/// <summary>How different generated texts are from one another.</summary>
public static class Diversity
{
    /// <summary>Different n-grams over all n-grams of a corpus (Li et al. 2016).</summary>
    public static double Distinct(IReadOnlyList<IReadOnlyList<string>> texts, int n)
    {
        var counts = texts.Select(text => NGrams.Count(text, n)).ToList();
        var total = counts.Sum(c => c.Values.Sum());
        return total == 0 ? 0 : (double)counts.SelectMany(c => c.Keys).Distinct().Count() / total;
    }

    /// <summary>BLEU-4 of each text against all others, 0 to 1, with NLTK's smoothing method 1 (Zhu et al. 2018).</summary>
    public static double[] SelfBleu(IReadOnlyList<IReadOnlyList<string>> texts) =>
        [.. texts.Select((text, i) => SentenceBleu(text, [.. texts.Where((_, j) => j != i)]))];

    private static double SentenceBleu(IReadOnlyList<string> hypothesis, IReadOnlyList<IReadOnlyList<string>> references)
    {
        const double Epsilon = 0.1;
        var logs = 0.0;
        for (var n = 1; n <= 4; n++)
        {
            var counts = NGrams.Count(hypothesis, n);
            double matches = NGrams.Overlap(counts, NGrams.Union(references.Select(r => NGrams.Count(r, n))));
            if (n == 1 && matches == 0) return 0;
            logs += Math.Log((matches == 0 ? Epsilon : matches) / Math.Max(1, counts.Values.Sum())) / 4;
        }

        var nearest = references.Select(r => r.Count).OrderBy(length => Math.Abs(length - hypothesis.Count)).ThenBy(length => length).First();
        return (hypothesis.Count > nearest ? 1 : Math.Exp(1 - (double)nearest / hypothesis.Count)) * Math.Exp(logs);
    }
}
