// Beam search with the conventions of transformers' generate(): what counts as length, and the three ways to stop.
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling;

/// <summary>When a beam search stops.</summary>
public enum EarlyStopping
{
    /// <summary>When no running beam at its present length can beat the worst finished one (a heuristic).</summary>
    Heuristic,
    /// <summary>As soon as there are as many finished sequences as beams.</summary>
    Immediately,
    /// <summary>When no running beam can beat the worst finished one at any length.</summary>
    Never,
}

/// <summary>A finished or longest sequence.</summary>
/// <param name="Tokens">Generated ids, the end token included where there is one.</param>
/// <param name="Score">Sum of log-probabilities over length^penalty; the end token counts as length.</param>
/// <param name="LogProbability">Sum of log-probabilities.</param>
public sealed record BeamHypothesis(int[] Tokens, double Score, double LogProbability);

/// <summary>Keeps the most probable sequences. One prompt at a time; its beams are the batch of the model.</summary>
/// <param name="Beams">Sequences that are kept.</param>
/// <param name="MaxNewTokens">Tokens to generate at most.</param>
public sealed record BeamSearch(int Beams, int MaxNewTokens)
{
    private const float Dead = -1e9f;

    /// <summary>Power of the length that scores are divided by; above 0 favours long sequences.</summary>
    public double LengthPenalty { get; init; } = 1;

    /// <summary>When to stop.</summary>
    public EarlyStopping EarlyStopping { get; init; }

    /// <summary>Ids that end a sequence.</summary>
    public IReadOnlySet<int> EndTokens { get; init; } = new HashSet<int>();

    /// <summary>Ids that may follow; applied after the softmax, which is not renormalised.</summary>
    public ITokenConstraint? Constraint { get; init; }

    /// <summary>Penalties on log-probabilities, applied before scores are added.</summary>
    public TokenSampling Penalties { get; init; } = new();

    /// <summary>The best sequences, best first.</summary>
    /// <param name="prompt">Ids that all beams start with.</param>
    /// <param name="count">Sequences to return, at most as many as beams.</param>
    public async ValueTask<IReadOnlyList<BeamHypothesis>> SearchAsync(ITokenModel model, int[] prompt, int count = 1, CancellationToken cancel = default)
    {
        var running = Enumerable.Range(0, Beams).Select(i => new Beam([], i == 0 ? 0 : Dead)).ToArray();
        var finished = new List<BeamHypothesis>();
        var next = Tensor.Create(Enumerable.Repeat(prompt, Beams).SelectMany(ids => ids).ToArray(), Beams, prompt.Length);
        for (var length = 1; length <= MaxNewTokens; length++)
        {
            cancel.ThrowIfCancellationRequested();
            var logits = await model.AppendAsync(next, cancel).ConfigureAwait(false);
            var candidates = Candidates(logits, running, prompt);
            var (continued, parents) = (new List<Beam>(), new List<int>());
            for (var rank = 0; rank < candidates.Count && continued.Count < Beams; rank++)
            {
                var (parent, id, score) = candidates[rank];
                int[] tokens = [.. running[parent].Tokens, id];
                if (EndTokens.Contains(id))
                {
                    // Only those among the best count; worse ones would not have been kept as beams either.
                    if (rank < Beams) Finish(finished, tokens, score);
                    continue;
                }

                continued.Add(new(tokens, score));
                parents.Add(parent);
            }

            if (continued.Count == 0) return Best(finished, count);
            while (continued.Count < Beams)
            {
                continued.Add(continued[0] with { LogProbability = Dead });
                parents.Add(parents[0]);
            }

            running = [.. continued];
            if (IsDone(finished, candidates[0].Score, length)) return Best(finished, count);
            model.Reorder(parents.ToArray());
            next = Tensor.Create(running.Select(beam => beam.Tokens[^1]).ToArray(), Beams, 1);
        }

        foreach (var beam in running.Where(beam => beam.LogProbability > Dead / 2)) Finish(finished, beam.Tokens, beam.LogProbability);
        return Best(finished, count);
    }

    private static IReadOnlyList<BeamHypothesis> Best(List<BeamHypothesis> finished, int count) => [.. finished.OrderByDescending(h => h.Score).Take(count)];

    // The best continuations of all beams: twice as many as beams, so that as many remain when each beam ends.
    private List<(int Parent, int Id, double Score)> Candidates(Tensor<float> logits, Beam[] running, int[] prompt)
    {
        var wanted = Math.Max(2, 1 + EndTokens.Count) * Beams;
        var best = new PriorityQueue<(int Parent, int Id, double Score), (double Score, long Order)>();
        var vocabulary = (int)logits.Shape[1];
        for (var parent = 0; parent < Beams; parent++)
        {
            var row = logits.Slice(parent).Span;
            LogitProcessing.LogSoftmax(row);
            (Penalties with { Temperature = 0 }).Process(row, [.. prompt, .. running[parent].Tokens]);
            if (Constraint is not null) LogitProcessing.Constrain(row, Constraint.Allowed(running[parent].Tokens));
            for (var id = 0; id < vocabulary; id++)
            {
                if (float.IsNegativeInfinity(row[id])) continue;
                var score = running[parent].LogProbability + row[id];
                best.Enqueue((parent, id, score), (score, -((long)parent * vocabulary + id)));
                if (best.Count > wanted) best.Dequeue();
            }
        }

        var result = new List<(int, int, double)>();
        while (best.TryDequeue(out var candidate, out _)) result.Add(candidate);
        result.Reverse();
        return result;
    }

    private void Finish(List<BeamHypothesis> finished, int[] tokens, double logProbability)
    {
        var hypothesis = new BeamHypothesis(tokens, logProbability / Math.Pow(tokens.Length, LengthPenalty), logProbability);
        if (finished.Count >= Beams && hypothesis.Score <= finished.Min(h => h.Score)) return;
        finished.Add(hypothesis);
        if (finished.Count > Beams) finished.Remove(finished.MinBy(h => h.Score)!);
    }

    private bool IsDone(List<BeamHypothesis> finished, double best, int length)
    {
        if (finished.Count < Beams) return false;
        if (EarlyStopping == EarlyStopping.Immediately) return true;
        var attainable = EarlyStopping == EarlyStopping.Never && LengthPenalty > 0 ? MaxNewTokens : length;
        return finished.Min(h => h.Score) >= best / Math.Pow(attainable, LengthPenalty);
    }

    private sealed record Beam(int[] Tokens, double LogProbability);
}
