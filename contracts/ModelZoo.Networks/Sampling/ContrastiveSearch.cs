// A Contrastive Framework for Neural Text Generation. Su et al. arXiv:2202.06417.
namespace ModelZoo.Networks.Sampling;

/// <summary>What a model says of a sequence's last token: its hidden state, and the logits of what follows.</summary>
/// <param name="Hidden">Last layer's state of the last token.</param>
/// <param name="Logits">Of the next token.</param>
public sealed record TokenState(float[] Hidden, float[] Logits);

/// <summary>The states after each candidate that could follow a sequence.</summary>
public delegate ValueTask<TokenState[]> LookAhead(IReadOnlyList<int> sequence, int[] candidates, CancellationToken cancel);

/// <summary>Chooses among the k most probable tokens the one that is probable and yet unlike all that came before.</summary>
/// <param name="K">Candidates.</param>
/// <param name="Alpha">Weight of the penalty: 0 is greedy.</param>
public sealed record ContrastiveSearch(int K, double Alpha)
{
    /// <summary>Continues a sequence.</summary>
    /// <param name="prompt">Ids so far.</param>
    /// <param name="states">State of each of them.</param>
    public async ValueTask<int[]> GenerateAsync(int[] prompt, TokenState[] states, LookAhead lookAhead, int maxNewTokens, IReadOnlySet<int>? endTokens = null, CancellationToken cancel = default)
    {
        var (sequence, hidden, logits) = (prompt.ToList(), states.Select(state => state.Hidden).ToList(), states[^1].Logits);
        for (var step = 0; step < maxNewTokens; step++)
        {
            var probabilities = LogitProcessing.Probabilities(logits);
            var candidates = Enumerable.Range(0, logits.Length).OrderByDescending(i => probabilities[i]).Take(K).ToArray();
            var after = await lookAhead(sequence, candidates, cancel).ConfigureAwait(false);

            // Equation 5.
            var chosen = Enumerable.Range(0, candidates.Length).MaxBy(i => (1 - Alpha) * probabilities[candidates[i]] - Alpha * hidden.Max(h => Cosine(h, after[i].Hidden)));
            sequence.Add(candidates[chosen]);
            hidden.Add(after[chosen].Hidden);
            logits = after[chosen].Logits;
            if (endTokens?.Contains(candidates[chosen]) == true) break;
        }

        return [.. sequence.Skip(prompt.Length)];
    }

    private static double Cosine(float[] a, float[] b)
    {
        var (product, first, second) = (0.0, 0.0, 0.0);
        for (var i = 0; i < a.Length; i++)
        {
            product += (double)a[i] * b[i];
            first += (double)a[i] * a[i];
            second += (double)b[i] * b[i];
        }

        return product / Math.Sqrt(first * second);
    }
}
