using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Recall and normalised discounted gain of a ranked list with one right item (leave-one-out).</summary>
internal static class RankingMetric
{
    public static IReadOnlyList<IMetric> All { get; } = [.. new[] { 1, 5, 10, 20 }.SelectMany(k => new IMetric[] { Recall(k), Ndcg(k) })];

    private static MeanMetric Recall(int k) => new($"recall@{k}", "", true, $"Share of users whose next item is among the first {k}.", observation => Rank(observation) is { } rank ? rank < k ? 1 : 0 : null);

    // One right item: the ideal gain is 1.
    private static MeanMetric Ndcg(int k) => new($"ndcg@{k}", "", true, $"1 / log2(rank + 1) of the next item when it is among the first {k} (Järvelin and Kekäläinen).",
        observation => Rank(observation) is { } rank ? rank < k ? 1 / Math.Log2(rank + 2) : 0 : null);

    // Ranked from 0; int.MaxValue when the item is not in the list.
    private static int? Rank(Observation observation)
    {
        if (observation is not { Reference: Items { Ids: [var right] }, Output: Items ranked }) return null;
        for (var i = 0; i < ranked.Ids.Count; i++)
        {
            if (ranked.Ids[i] == right) return i;
        }

        return int.MaxValue;
    }
}
