using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;
using static ModelZoo.Plugins.Components.Metrics.MetricParts;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>Measures of rankings.</summary>
internal static class RetrievalMetrics
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        Metric("ranking", "ranx: A Blazing-Fast Python Library for Ranking Evaluation and Comparison", "AmenRa/ranx", ("evaluate", Ranking)),
        Metric("recall-ndcg", "Learnable Item Tokenization for Generative Recommendation", "HonghuiBao2000/LETTER", ("evaluate", RecallNdcg)),
    ];

    private static CallResults Ranking(CallArguments arguments)
    {
        var (scores, relevance) = (arguments.Doubles("scores"), arguments.Doubles("relevance"));
        var (queries, documents) = ((int)arguments.Tensor("scores").Shape[0], (int)arguments.Tensor("scores").Shape[1]);

        // 0 stands for the whole list, too.
        int? k = arguments.Literal<int?>("k", null) is > 0 and var cutoff ? cutoff : null;
        var rankings = Enumerable.Range(0, queries)
            .Select(q => RankingMetrics.FromScores(scores[(q * documents)..((q + 1) * documents)], relevance[(q * documents)..((q + 1) * documents)])).ToList();
        var at = k is null ? "" : $"@{k}";
        return new CallResults()
            .Add($"hit_rate{at}", Each(r => r.HitRate(k))).Add($"recall{at}", Each(r => r.Recall(k))).Add($"precision{at}", Each(r => r.Precision(k))).Add($"mrr{at}", Each(r => r.ReciprocalRank(k)))
            .Add($"map{at}", Each(r => r.AveragePrecision(k))).Add($"ndcg{at}", Each(r => r.Ndcg(k))).Add($"ndcg_burges{at}", Each(r => r.Ndcg(k, exponential: true)))
            .Add("r-precision", Each(r => r.RPrecision));

        Tensor Each(Func<RankingMetrics, double> measure) => Vector(rankings.Select(measure));
    }

    private static CallResults RecallNdcg(CallArguments arguments)
    {
        var (ranked, users, length) = (arguments.Ids("ranked"), (int)arguments.Tensor("ranked").Shape[0], (int)arguments.Tensor("ranked").Shape[1]);
        var cutoffs = arguments.Literal<int[]>("k");
        var single = arguments.Has("target");
        var relevant = arguments.Ids(single ? "target" : "relevant");
        var each = relevant.Length / users;
        var rankings = new List<RankingMetrics>();
        for (var user = 0; user < users; user++)
        {
            var wanted = relevant.Skip(user * each).Take(each).Where(item => item >= 0).ToHashSet();
            if (wanted.Count == 0) continue;
            rankings.Add(new([.. ranked.Skip(user * length).Take(length).Select(item => wanted.Contains(item) ? 1.0 : 0)]) { Relevant = wanted.Count });
        }

        return new CallResults().Add("precision", At((r, k) => r.Precision(k))).Add("recall", At((r, k) => r.Recall(k))).Add("ndcg", At((r, k) => r.Ndcg(k))).Add("mrr", At((r, k) => r.ReciprocalRank(k)));

        Tensor At(Func<RankingMetrics, int?, double> measure) => Vector(cutoffs.Select(k => rankings.Average(r => measure(r, k))));
    }
}
