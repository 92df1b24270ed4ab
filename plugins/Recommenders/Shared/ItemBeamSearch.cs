using ModelZoo.Contracts;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>A recommended item.</summary>
/// <param name="Item">Its number; -1 when the tokens are no item's.</param>
/// <param name="Tokens">Start token, the item's tokens, end token.</param>
/// <param name="Score">Sum of log probabilities over the number of generated tokens.</param>
public sealed record RankedItem(int Item, IReadOnlyList<int> Tokens, float Score);

/// <summary>
/// Beam search over items of equal length, constrained by their prefix tree (De Cao et al., GENRE, arXiv:2010.00904; transformers' semantics): log-softmax over the whole vocabulary, tokens that continue no item dropped,
/// no renormalisation, the end token counted. All beams end together, so that length penalties and stopping rules do not matter.
/// </summary>
public static class ItemBeamSearch
{
    // What transformers gives the beams that do not exist yet at the first step.
    private const float Absent = -1e9f;

    /// <summary>Logits of the next token after each of the prefixes: rows users x beams in order, prefixes (rows, length) -> (rows, vocabulary).</summary>
    public delegate Task<Tensor<float>> Step(Tensor<long> prefixes, CancellationToken cancel);

    /// <summary>The best items of each user, best first.</summary>
    public static async Task<IReadOnlyList<IReadOnlyList<RankedItem>>> SearchAsync(ItemTrie trie, int users, int beams, int start, int end, Step step, CancellationToken cancel)
    {
        var search = new Beam[users][];
        for (var user = 0; user < users; user++) search[user] = [.. Enumerable.Range(0, beams).Select(i => new Beam([start], trie.Root, i == 0 ? 0 : Absent))];
        for (var level = 0; level <= trie.Levels; level++)
        {
            cancel.ThrowIfCancellationRequested();
            var logits = await step(Prefixes(search, beams), cancel).ConfigureAwait(false);
            for (var user = 0; user < users; user++) search[user] = Expand(search[user], user, level == trie.Levels ? end : null);

            Beam[] Expand(Beam[] current, int user, int? only)
            {
                var candidates = new List<(float Score, int Beam, int Token)>();
                for (var i = 0; i < current.Length; i++)
                {
                    var row = logits.Slice(user * beams + i).Span;
                    var normaliser = LogSumExp(row);
                    foreach (var token in only is { } last ? [last] : current[i].Node.Next) candidates.Add((current[i].Score + (row[token] - normaliser), i, token));
                }

                // Highest first; equal ones in the order of beam and token.
                return [.. candidates.OrderByDescending(candidate => candidate.Score).Take(beams)
                    .Select(candidate => new Beam([.. current[candidate.Beam].Tokens, candidate.Token], only is null ? current[candidate.Beam].Node.Then(candidate.Token) : current[candidate.Beam].Node, candidate.Score))];
            }
        }

        var length = trie.Levels + 1;
        return [.. search.Select(list => (IReadOnlyList<RankedItem>)[.. list.Select(beam => new RankedItem(beam.Node.Item, beam.Tokens, beam.Score / length))])];
    }

    private static Tensor<long> Prefixes(Beam[][] search, int beams)
    {
        var length = search[0][0].Tokens.Length;
        var prefixes = Tensor.Zeros<long>(search.Length * beams, length);
        for (var user = 0; user < search.Length; user++)
        {
            for (var i = 0; i < beams; i++)
            {
                // Fewer candidates than beams: the first one's row is computed again and not used.
                var tokens = search[user][Math.Min(i, search[user].Length - 1)].Tokens;
                for (var t = 0; t < length; t++) prefixes[user * beams + i, t] = tokens[t];
            }
        }

        return prefixes;
    }

    internal static float LogSumExp(ReadOnlySpan<float> row)
    {
        var max = TensorPrimitives.Max(row);
        var sum = 0.0;
        foreach (var value in row) sum += Math.Exp(value - max);
        return (float)(max + Math.Log(sum));
    }

    private sealed record Beam(int[] Tokens, ItemTrie.Node Node, float Score);
}
