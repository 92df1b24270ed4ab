namespace ModelZoo.Networks.Metrics;

/// <summary>Measures of one query's ranking. A cutoff of null means the whole list.</summary>
/// <param name="Relevance">Relevance of the documents in ranked order; above zero is relevant.</param>
public sealed record RankingMetrics(IReadOnlyList<double> Relevance)
{
    /// <summary>Relevant documents of the query, where not all of them are in the list; null when they are.</summary>
    public int? Relevant { get; init; }

    /// <summary>Ranks documents by score, highest first.</summary>
    public static RankingMetrics FromScores(IReadOnlyList<double> scores, IReadOnlyList<double> relevance) =>
        new([.. Enumerable.Range(0, scores.Count).OrderByDescending(i => scores[i]).Select(i => relevance[i])]);

    private int Total => Relevant ?? Relevance.Count(r => r > 0);

    /// <summary>1 when any of the first k is relevant.</summary>
    public double HitRate(int? k) => Hits(k) > 0 ? 1 : 0;

    /// <summary>Share of the relevant documents among the first k.</summary>
    public double Recall(int? k) => Total == 0 ? 0 : (double)Hits(k) / Total;

    /// <summary>Share of the first k that are relevant.</summary>
    public double Precision(int? k) => (double)Hits(k) / (k ?? Relevance.Count);

    /// <summary>Precision at as many documents as are relevant.</summary>
    public double RPrecision => Total == 0 ? 0 : (double)Hits(Total) / Total;

    /// <summary>One over the rank of the first relevant document.</summary>
    public double ReciprocalRank(int? k)
    {
        var first = Enumerable.Range(0, Cut(k)).FirstOrDefault(i => Relevance[i] > 0, -1);
        return first < 0 ? 0 : 1.0 / (first + 1);
    }

    /// <summary>Mean of the precisions at each relevant document, over all relevant documents.</summary>
    public double AveragePrecision(int? k)
    {
        if (Total == 0) return 0;
        var (hits, sum) = (0, 0.0);
        for (var i = 0; i < Cut(k); i++)
        {
            if (Relevance[i] > 0) sum += (double)++hits / (i + 1);
        }

        return sum / Total;
    }

    /// <summary>Discounted gain over that of the best order.</summary>
    /// <param name="exponential">Gain 2^relevance - 1 (Burges et al.); the relevance itself otherwise.</param>
    public double Ndcg(int? k, bool exponential = false)
    {
        var ideal = Relevant is { } total ? Enumerable.Repeat(1.0, total) : Relevance.OrderDescending();
        var best = Gain(ideal.Take(k ?? int.MaxValue));
        return best == 0 ? 0 : Gain(Relevance.Take(Cut(k))) / best;

        double Gain(IEnumerable<double> relevance) => relevance.Select((r, i) => (exponential ? Math.Pow(2, r) - 1 : r) / Math.Log2(i + 2)).Sum();
    }

    private int Cut(int? k) => Math.Min(k ?? Relevance.Count, Relevance.Count);

    private int Hits(int? k) => Relevance.Take(Cut(k)).Count(r => r > 0);
}
