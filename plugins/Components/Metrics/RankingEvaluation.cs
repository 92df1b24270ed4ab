using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>Ranked items against those that were right.</summary>
internal static class RankingEvaluation
{
    private static readonly int[] Cutoffs = [1, 5, 10, 20, 50];

    public static IReadOnlyList<IMetric> All { get; } =
    [
        .. Cutoffs.Select(k => Ranked($"recall@{k}", $"Share of the right items among the first {k}.", ranking => ranking.Recall(k))),
        .. Cutoffs.Select(k => Ranked($"ndcg@{k}", $"Discounted gain of the first {k} over that of the best order.", ranking => ranking.Ndcg(k))),
        .. Cutoffs.Select(k => Ranked($"hit-rate@{k}", $"1 when a right item is among the first {k}.", ranking => ranking.HitRate(k))),
        .. Cutoffs.Select(k => Ranked($"mrr@{k}", $"One over the rank of the first right item among the first {k}.", ranking => ranking.ReciprocalRank(k))),
    ];

    private static MeanMetric Ranked(string name, string description, Func<RankingMetrics, double> measure) => new(name, "", true, description, observation =>
    {
        if (observation is not { Reference: Items { Ids.Count: > 0 } right, Output: Items ranked }) return null;
        var wanted = right.Ids.ToHashSet();
        return measure(new([.. ranked.Ids.Select(id => wanted.Contains(id) ? 1.0 : 0)]) { Relevant = wanted.Count });
    });
}
