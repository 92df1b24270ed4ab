// BLEU: a Method for Automatic Evaluation of Machine Translation. Papineni et al. ACL 2002; conventions of sacreBLEU (A Call for Clarity in Reporting BLEU Scores, arXiv:1804.08771).
namespace ModelZoo.Networks.Metrics;

/// <summary>n-gram precision with a brevity penalty, 0 to 100. The statistics add up over a corpus.</summary>
/// <param name="order">Longest n-gram.</param>
public sealed class Bleu(int order = 4)
{
    private readonly long[] _matches = new long[order];
    private readonly long[] _totals = new long[order];

    /// <summary>Tokens of the hypotheses.</summary>
    public long HypothesisLength { get; private set; }

    /// <summary>Tokens of the references, of each segment the one nearest in length; the shorter on a tie.</summary>
    public long ReferenceLength { get; private set; }

    /// <summary>Adds a segment of tokens with its references.</summary>
    public void Add(IReadOnlyList<string> hypothesis, IReadOnlyList<IReadOnlyList<string>> references)
    {
        HypothesisLength += hypothesis.Count;
        ReferenceLength += references.Select(r => r.Count).OrderBy(length => Math.Abs(length - hypothesis.Count)).ThenBy(length => length).FirstOrDefault();
        for (var n = 1; n <= order; n++)
        {
            var counts = NGrams.Count(hypothesis, n);
            _matches[n - 1] += NGrams.Overlap(counts, NGrams.Union(references.Select(r => NGrams.Count(r, n))));
            _totals[n - 1] += counts.Values.Sum();
        }
    }

    /// <summary>The score so far.</summary>
    /// <param name="smoothing"><c>exp</c>, <c>floor</c>, <c>add-k</c> or <c>none</c>, for orders without a match.</param>
    /// <param name="value">Of floor (default 0.1) and add-k (default 1).</param>
    /// <param name="effectiveOrder">Leave out orders that the text is too short for; for single sentences.</param>
    public BleuScore Score(string smoothing = "exp", double? value = null, bool effectiveOrder = false)
    {
        var (matches, totals, precisions) = (Array.ConvertAll(_matches, x => (double)x), Array.ConvertAll(_totals, x => (double)x), new double[order]);
        var penalty = HypothesisLength >= ReferenceLength ? 1 : HypothesisLength > 0 ? Math.Exp(1 - (double)ReferenceLength / HypothesisLength) : 0;
        if (_matches.All(m => m == 0)) return new(0, matches, totals, precisions, penalty);

        var smooth = value ?? (smoothing == "floor" ? 0.1 : 1);
        var (halving, effective) = (1.0, order);
        for (var n = 0; n < order; n++)
        {
            if (smoothing == "add-k" && n > 0) (matches[n], totals[n]) = (matches[n] + smooth, totals[n] + smooth);
            if (totals[n] == 0) break;
            if (effectiveOrder) effective = n + 1;
            if (matches[n] > 0) precisions[n] = 100 * matches[n] / totals[n];
            else if (smoothing == "exp") precisions[n] = 100 / ((halving *= 2) * totals[n]);
            else if (smoothing == "floor") precisions[n] = 100 * smooth / totals[n];
        }

        var logs = precisions.Take(effective).Sum(p => p == 0 ? -9999999999 : Math.Log(p));
        return new(penalty * Math.Exp(logs / effective), matches, totals, precisions, penalty);
    }
}

/// <summary>A BLEU score with its parts.</summary>
/// <param name="Value">0 to 100.</param>
/// <param name="Matches">Matching n-grams of each order, with what smoothing added.</param>
/// <param name="Totals">n-grams of each order, with what smoothing added.</param>
/// <param name="Precisions">0 to 100.</param>
/// <param name="BrevityPenalty">0 to 1.</param>
public sealed record BleuScore(double Value, double[] Matches, double[] Totals, double[] Precisions, double BrevityPenalty);
