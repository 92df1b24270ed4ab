using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>What beam searches found, as the references give it.</summary>
internal static class FoundItems
{
    /// <summary>Rows of ids as numbers, for tries and constraints.</summary>
    public static int[][] ToRows(this Tensor<long> ids) => [.. Enumerable.Range(0, (int)ids.Shape[0]).Select(row => Array.ConvertAll(ids.Slice(row).Span.ToArray(), id => (int)id))];

    /// <summary>Sequences with their prompts (users, beams, length); zeros where fewer were found than beams.</summary>
    /// <param name="found">Hypotheses of each user.</param>
    /// <param name="prompts">What stands before each user's.</param>
    public static Tensor<long> Sequences(IReadOnlyList<IReadOnlyList<BeamHypothesis>> found, IReadOnlyList<IReadOnlyList<int>> prompts)
    {
        var length = prompts[0].Count + found.Max(list => list.Max(hypothesis => hypothesis.Tokens.Length));
        var sequences = Tensor.Zeros<long>(found.Count, found.Max(list => list.Count), length);
        for (var user = 0; user < found.Count; user++)
        {
            for (var i = 0; i < found[user].Count; i++)
            {
                var target = sequences.Slice(user).Slice(i).Span;
                foreach (var (place, id) in prompts[user].Concat(found[user][i].Tokens).Index()) target[place] = id;
            }
        }

        return sequences;
    }

    /// <summary>The items that hypotheses name, best first; without sequences that are no item, and those that only fill beams where there are fewer items.</summary>
    /// <param name="found">Hypotheses of one user.</param>
    /// <param name="name">The item of a hypothesis; null for none.</param>
    public static Items Rank(IReadOnlyList<BeamHypothesis> found, Func<BeamHypothesis, string?> name)
    {
        var items = found.Select(hypothesis => (Name: name(hypothesis), hypothesis.Score)).Where(item => item.Name is not null).DistinctBy(item => item.Name).ToArray();
        return new([.. items.Select(item => item.Name!)], [.. items.Select(item => item.Score)]);
    }

    /// <summary>A number of each hypothesis (users, beams).</summary>
    public static Tensor<T> Table<T>(IReadOnlyList<IReadOnlyList<BeamHypothesis>> found, Func<BeamHypothesis, T> number) where T : unmanaged
    {
        var table = Tensor.Zeros<T>(found.Count, found.Max(list => list.Count));
        for (var user = 0; user < found.Count; user++)
        {
            for (var i = 0; i < found[user].Count; i++) table[user, i] = number(found[user][i]);
        }

        return table;
    }
}
