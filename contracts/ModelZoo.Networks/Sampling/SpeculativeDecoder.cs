// Fast Inference from Transformers via Speculative Decoding. Leviathan, Kalman, Matias. arXiv:2211.17192.
namespace ModelZoo.Networks.Sampling;

/// <summary>The draft model: the distribution of what follows a sequence.</summary>
public delegate ValueTask<double[]> DraftModel(IReadOnlyList<int> sequence, CancellationToken cancel);

/// <summary>The target model: the distributions after the sequence and after each drafted token, in one call.</summary>
public delegate ValueTask<double[][]> TargetModel(IReadOnlyList<int> sequence, IReadOnlyList<int> drafted, CancellationToken cancel);

/// <summary>Tokens of the target's own distribution, several for each of its calls.</summary>
/// <param name="Length">Tokens that the draft model guesses ahead.</param>
public sealed record SpeculativeDecoder(int Length)
{
    /// <summary>Algorithm 1: the tokens accepted and one more, 1 to <see cref="Length"/> + 1 of them.</summary>
    /// <param name="uniform">The next uniform number in (0, 1).</param>
    public async ValueTask<int[]> StepAsync(IReadOnlyList<int> sequence, DraftModel draft, TargetModel target, Func<double> uniform, CancellationToken cancel = default)
    {
        var (drafted, guesses) = (new List<int>(), new List<double[]>());
        for (var i = 0; i < Length; i++)
        {
            var distribution = await draft([.. sequence, .. drafted], cancel).ConfigureAwait(false);
            guesses.Add(distribution);
            drafted.Add(Categorical.Draw(distribution, uniform()));
        }

        var truth = await target(sequence, drafted, cancel).ConfigureAwait(false);
        for (var i = 0; i < Length; i++)
        {
            var (p, q, id) = (truth[i], guesses[i], drafted[i]);
            if (uniform() < p[id] / q[id]) continue;
            return [.. drafted.Take(i), Categorical.Draw(Residual(p, q), uniform())];
        }

        return [.. drafted, Categorical.Draw(truth[Length], uniform())];
    }

    /// <summary>Continues a sequence until enough tokens or an end token.</summary>
    public async ValueTask<int[]> GenerateAsync(
        int[] prompt, DraftModel draft, TargetModel target, int maxNewTokens, ulong seed, int sample = 0, IReadOnlySet<int>? endTokens = null, CancellationToken cancel = default)
    {
        var (sequence, position, generator) = (prompt.ToList(), 0UL, Philox.Of(seed, sample, draw: 0));
        while (sequence.Count < prompt.Length + maxNewTokens)
        {
            foreach (var id in await StepAsync(sequence, draft, target, () => generator.Uniform(position++), cancel).ConfigureAwait(false))
            {
                if (sequence.Count == prompt.Length + maxNewTokens) break;
                sequence.Add(id);
                if (endTokens?.Contains(id) == true) return [.. sequence.Skip(prompt.Length)];
            }
        }

        return [.. sequence.Skip(prompt.Length)];
    }

    // What the target has more of than the draft; drawn from when a guess is rejected, it makes up the target's distribution exactly.
    private static double[] Residual(double[] p, double[] q) => [.. p.Zip(q, (a, b) => Math.Max(a - b, 0))];
}
