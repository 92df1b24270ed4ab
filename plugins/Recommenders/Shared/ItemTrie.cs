using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>The items' token sequences as a prefix tree. Items of equal tokens keep all their numbers.</summary>
public sealed class ItemTrie
{
    private readonly Node _root = new();

    /// <summary>A tree of items (count, levels).</summary>
    public ItemTrie(Tensor<long> items)
    {
        Levels = (int)items.Shape[1];
        for (var item = 0; item < items.Shape[0]; item++)
        {
            var node = _root;
            foreach (var token in items.Slice(item).Span)
            {
                if (!node.Children.TryGetValue((int)token, out var next)) node.Children.Add((int)token, next = new());
                node = next;
            }

            node.Items.Add(item);
        }
    }

    /// <summary>Tokens of an item.</summary>
    public int Levels { get; }

    /// <summary>Where a search starts.</summary>
    public Node Root => _root;

    /// <summary>The item of these tokens; -1 when there is none.</summary>
    public int Find(ReadOnlySpan<int> tokens)
    {
        var node = _root;
        foreach (var token in tokens)
        {
            if (!node.Children.TryGetValue(token, out node)) return -1;
        }

        return node.Item;
    }

    /// <summary>A prefix: what may follow, and, at the end of an item, which it is.</summary>
    public sealed class Node
    {
        internal SortedDictionary<int, Node> Children { get; } = [];

        internal List<int> Items { get; } = [];

        /// <summary>The tokens that some item has next, ascending.</summary>
        public IReadOnlyCollection<int> Next => Children.Keys;

        /// <summary>The item that ends here; the last one where several have the same tokens; -1 for none.</summary>
        public int Item => Items.Count == 0 ? -1 : Items[^1];

        /// <summary>The prefix with one more token.</summary>
        public Node Then(int token) => Children[token];
    }
}
