using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling;

/// <summary>One token after another. Sequences end independently; each has its own random stream, so a sequence is the same in a batch of any size.</summary>
/// <param name="MaxNewTokens">Tokens to generate at most.</param>
public sealed record AutoregressiveDecoder(int MaxNewTokens)
{
    /// <summary>How tokens are chosen.</summary>
    public TokenSampling Sampling { get; init; } = new();

    /// <summary>Ids that end a sequence; they are part of the result.</summary>
    public IReadOnlySet<int> EndTokens { get; init; } = new HashSet<int>();

    /// <summary>Fed to sequences that have ended.</summary>
    public int PadToken { get; init; }

    /// <summary>Ids that may follow what has been generated; null for all.</summary>
    public ITokenConstraint? Constraint { get; init; }

    /// <summary>The tokens of each step, one a sequence; null for sequences that have ended.</summary>
    /// <param name="prompts">(sequences, tokens).</param>
    /// <param name="firstSample">Number of the first sequence within the request.</param>
    public async IAsyncEnumerable<int?[]> StreamAsync(ITokenModel model, Tensor<int> prompts, ulong seed, int firstSample = 0, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var count = (int)prompts.Shape[0];
        var histories = Enumerable.Range(0, count).Select(i => prompts.Slice(i).Span.ToArray().ToList()).ToArray();
        var (ended, next) = (new bool[count], prompts);
        var promptLength = (int)prompts.Shape[1];
        for (var step = 0; step < MaxNewTokens && !ended.All(e => e); step++)
        {
            cancel.ThrowIfCancellationRequested();
            var logits = await model.AppendAsync(next, cancel).ConfigureAwait(false);
            var (tokens, chosen) = (new int[count], new int?[count]);
            for (var i = 0; i < count; i++)
            {
                tokens[i] = PadToken;
                if (ended[i]) continue;
                var row = logits.Slice(i).Span;
                if (Constraint is not null) LogitProcessing.Constrain(row, Constraint.Allowed([.. histories[i].Skip(promptLength)]));
                var id = Sampling.Choose(row, histories[i].ToArray(), Philox.Of(seed, firstSample + i, draw: 0).Uniform((ulong)step));
                (tokens[i], chosen[i]) = (id, id);
                histories[i].Add(id);
                ended[i] = EndTokens.Contains(id);
            }

            yield return chosen;
            next = Tensor.Create(tokens, count, 1);
        }
    }

    /// <summary>All generated tokens of each sequence.</summary>
    /// <param name="prompts">(sequences, tokens).</param>
    public async ValueTask<int[][]> GenerateAsync(ITokenModel model, Tensor<int> prompts, ulong seed, int firstSample = 0, CancellationToken cancel = default)
    {
        var results = Enumerable.Range(0, (int)prompts.Shape[0]).Select(_ => new List<int>()).ToArray();
        await foreach (var step in StreamAsync(model, prompts, seed, firstSample, cancel).ConfigureAwait(false))
        {
            for (var i = 0; i < step.Length; i++)
            {
                if (step[i] is { } id) results[i].Add(id);
            }
        }

        return [.. results.Select(list => list.ToArray())];
    }
}
