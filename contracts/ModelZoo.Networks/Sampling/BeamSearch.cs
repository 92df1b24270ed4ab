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

/// <summary>Keeps the most probable sequences. Prompts are searched side by side: prompt i's beams are the model's sequences i Beams to (i + 1) Beams - 1.</summary>
/// <param name="Beams">Sequences that are kept for each prompt.</param>
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
    public async ValueTask<IReadOnlyList<BeamHypothesis>> SearchAsync(ITokenModel model, int[] prompt, int count = 1, CancellationToken cancel = default) =>
        (await SearchAsync(model, Tensor.Create(prompt, 1, prompt.Length), count, cancel).ConfigureAwait(false))[0];

    /// <summary>The best sequences of each prompt, best first; a prompt's are the same whatever stands beside it.</summary>
    /// <param name="prompts">(prompts, tokens).</param>
    /// <param name="count">Sequences to return for each, at most as many as beams.</param>
    public async ValueTask<IReadOnlyList<IReadOnlyList<BeamHypothesis>>> SearchAsync(ITokenModel model, Tensor<int> prompts, int count, CancellationToken cancel = default)
    {
        var searches = Enumerable.Range(0, (int)prompts.Shape[0]).Select(i => new Search(this, prompts.Slice(i).Span.ToArray())).ToArray();
        var rows = searches.Length * Beams;
        var next = Tensor.Create([.. searches.SelectMany(search => Enumerable.Repeat(search.Prompt, Beams).SelectMany(ids => ids))], rows, prompts.Shape[1]);
        for (var length = 1; length <= MaxNewTokens; length++)
        {
            cancel.ThrowIfCancellationRequested();
            var logits = await model.AppendAsync(next, cancel).ConfigureAwait(false);
            var parents = new int[rows];
            for (var i = 0; i < searches.Length; i++) searches[i].Advance(logits, i * Beams, length, parents.AsSpan(i * Beams, Beams));
            if (Array.TrueForAll(searches, search => search.IsDone)) break;
            model.Reorder(parents);
            next = Tensor.Create([.. searches.SelectMany(search => search.LastTokens)], rows, 1);
        }

        return [.. searches.Select(search => search.Best(count))];
    }

    private sealed record Beam(int[] Tokens, double LogProbability);

    // The search of one prompt.
    private sealed class Search(BeamSearch options, int[] prompt)
    {
        private readonly List<BeamHypothesis> _finished = [];
        private Beam[] _running = [.. Enumerable.Range(0, options.Beams).Select(i => new Beam([], i == 0 ? 0 : Dead))];

        public int[] Prompt => prompt;

        public bool IsDone { get; private set; }

        // What is fed for a search that is done does not matter.
        public IEnumerable<int> LastTokens => _running.Select(beam => beam.Tokens.Length > 0 ? beam.Tokens[^1] : 0);

        public void Advance(Tensor<float> logits, int first, int length, Span<int> parents)
        {
            for (var i = 0; i < parents.Length; i++) parents[i] = first + i;
            if (IsDone) return;
            var candidates = Candidates(logits, first);
            var continued = new List<Beam>();
            for (var rank = 0; rank < candidates.Count && continued.Count < options.Beams; rank++)
            {
                var (parent, id, score) = candidates[rank];
                int[] tokens = [.. _running[parent].Tokens, id];
                if (options.EndTokens.Contains(id))
                {
                    // Only those among the best count; worse ones would not have been kept as beams either.
                    if (rank < options.Beams) Finish(tokens, score);
                    continue;
                }

                parents[continued.Count] = first + parent;
                continued.Add(new(tokens, score));
            }

            if (continued.Count == 0)
            {
                (IsDone, _running) = (true, []);
                return;
            }

            while (continued.Count < options.Beams)
            {
                parents[continued.Count] = parents[0];
                continued.Add(continued[0] with { LogProbability = Dead });
            }

            _running = [.. continued];
            IsDone = CannotImprove(candidates[0].Score, length);
        }

        public IReadOnlyList<BeamHypothesis> Best(int count)
        {
            // The limit ended the search: what runs counts as it is.
            if (!IsDone)
            {
                foreach (var beam in _running.Where(beam => beam.LogProbability > Dead / 2)) Finish(beam.Tokens, beam.LogProbability);
            }

            return [.. _finished.OrderByDescending(h => h.Score).Take(count)];
        }

        // The best continuations of all beams: twice as many as beams, so that as many remain when each beam ends.
        private List<(int Parent, int Id, double Score)> Candidates(Tensor<float> logits, int first)
        {
            var wanted = Math.Max(2, 1 + options.EndTokens.Count) * options.Beams;
            var best = new PriorityQueue<(int Parent, int Id, double Score), (double Score, long Order)>();
            var vocabulary = (int)logits.Shape[1];
            for (var parent = 0; parent < _running.Length; parent++)
            {
                var row = logits.Slice(first + parent).Span;
                LogitProcessing.LogSoftmax(row);
                (options.Penalties with { Temperature = 0 }).Process(row, [.. prompt, .. _running[parent].Tokens]);
                if (options.Constraint is not null) LogitProcessing.Constrain(row, options.Constraint.Allowed(_running[parent].Tokens));
                for (var id = 0; id < vocabulary; id++)
                {
                    if (float.IsNegativeInfinity(row[id])) continue;
                    var score = _running[parent].LogProbability + row[id];
                    best.Enqueue((parent, id, score), (score, -((long)parent * vocabulary + id)));
                    if (best.Count > wanted) best.Dequeue();
                }
            }

            var result = new List<(int, int, double)>();
            while (best.TryDequeue(out var candidate, out _)) result.Add(candidate);
            result.Reverse();
            return result;
        }

        private void Finish(int[] tokens, double logProbability)
        {
            var hypothesis = new BeamHypothesis(tokens, logProbability / Math.Pow(tokens.Length, options.LengthPenalty), logProbability);
            if (_finished.Count >= options.Beams && hypothesis.Score <= _finished.Min(h => h.Score)) return;
            _finished.Add(hypothesis);
            if (_finished.Count > options.Beams) _finished.Remove(_finished.MinBy(h => h.Score)!);
        }

        private bool CannotImprove(double best, int length)
        {
            if (_finished.Count < options.Beams) return false;
            if (options.EarlyStopping == EarlyStopping.Immediately) return true;
            var attainable = options.EarlyStopping == EarlyStopping.Never && options.LengthPenalty > 0 ? options.MaxNewTokens : length;
            return _finished.Min(h => h.Score) >= best / Math.Pow(attainable, options.LengthPenalty);
        }
    }
}
