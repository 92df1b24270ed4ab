namespace ModelZoo.Networks.Sampling;

/// <summary>Which ids may follow.</summary>
public interface ITokenConstraint
{
    /// <summary>Ids that may follow what has been generated; none when it is complete.</summary>
    IReadOnlyCollection<int> Allowed(IReadOnlyList<int> generated);
}

/// <summary>A list of token sequences, such as the identifiers of all items: only they can be generated (De Cao et al., GENRE, arXiv:2010.00904).</summary>
public sealed class TokenTrie : ITokenConstraint
{
    private readonly Node _root = new();

    /// <summary>Holds the given sequences.</summary>
    /// <param name="sequences">The sequences; several may be equal.</param>
    /// <param name="end">An id that follows each of them; null for none.</param>
    public TokenTrie(IEnumerable<IReadOnlyList<int>> sequences, int? end = null)
    {
        var number = 0;
        foreach (var sequence in sequences)
        {
            var node = _root;
            foreach (var id in sequence) node = node.Then(id);
            node.Number = number++;
            if (end is { } last) node.Then(last);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyCollection<int> Allowed(IReadOnlyList<int> generated) => Walk(generated)?.Children.Keys ?? (IReadOnlyCollection<int>)[];

    /// <summary>The number of a sequence, the last of equal ones; -1 when it is none of the list.</summary>
    public int Find(IReadOnlyList<int> sequence) => Walk(sequence)?.Number ?? -1;

    private Node? Walk(IReadOnlyList<int> ids)
    {
        var node = _root;
        foreach (var id in ids)
        {
            if (!node.Children.TryGetValue(id, out node)) return null;
        }

        return node;
    }

    private sealed class Node
    {
        public Dictionary<int, Node> Children { get; } = [];

        public int Number { get; set; } = -1;

        public Node Then(int id)
        {
            if (!Children.TryGetValue(id, out var child)) Children.Add(id, child = new());
            return child;
        }
    }
}
