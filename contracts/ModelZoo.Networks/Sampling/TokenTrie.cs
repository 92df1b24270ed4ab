namespace ModelZoo.Networks.Sampling;

/// <summary>Which ids may follow.</summary>
public interface ITokenConstraint
{
    /// <summary>Ids that may follow what has been generated; none when it is complete.</summary>
    IReadOnlyCollection<int> Allowed(IReadOnlyList<int> generated);
}

/// <summary>A set of token sequences, such as the identifiers of all items: only they can be generated.</summary>
public sealed class TokenTrie : ITokenConstraint
{
    private readonly Node _root = new();

    /// <summary>Holds the given sequences.</summary>
    public TokenTrie(IEnumerable<IReadOnlyList<int>> sequences)
    {
        foreach (var sequence in sequences)
        {
            var node = _root;
            foreach (var id in sequence)
            {
                if (!node.Children.TryGetValue(id, out var child)) node.Children.Add(id, child = new());
                node = child;
            }
        }
    }

    /// <inheritdoc/>
    public IReadOnlyCollection<int> Allowed(IReadOnlyList<int> generated)
    {
        var node = _root;
        foreach (var id in generated)
        {
            if (!node.Children.TryGetValue(id, out node)) return [];
        }

        return node.Children.Keys;
    }

    private sealed class Node
    {
        public Dictionary<int, Node> Children { get; } = [];
    }
}
