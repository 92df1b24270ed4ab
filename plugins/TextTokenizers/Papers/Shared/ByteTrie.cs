namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>A vocabulary of byte strings, for finding every entry that starts at a place.</summary>
internal sealed class ByteTrie
{
    private readonly Dictionary<(int Node, byte Byte), int> _children = [];
    private readonly List<int> _ids = [-1];

    /// <summary>A trie of <paramref name="entries"/>; the id is the place in the list, and an empty entry is never found.</summary>
    public ByteTrie(IReadOnlyList<byte[]> entries)
    {
        for (var id = 0; id < entries.Count; id++) Add(entries[id], id);
    }

    /// <summary>Adds an entry; a later one with the same bytes takes its place.</summary>
    public void Add(ReadOnlySpan<byte> entry, int id)
    {
        var node = 0;
        foreach (var value in entry)
        {
            if (!_children.TryGetValue((node, value), out var child))
            {
                child = _ids.Count;
                _children.Add((node, value), child);
                _ids.Add(-1);
            }

            node = child;
        }

        if (node != 0) _ids[node] = id;
    }

    /// <summary>The entries that <paramref name="bytes"/> begins with, shortest first: id and width.</summary>
    public List<(int Id, int Size)> Prefixes(ReadOnlySpan<byte> bytes)
    {
        var found = new List<(int, int)>();
        for (int i = 0, node = 0; i < bytes.Length && _children.TryGetValue((node, bytes[i]), out node); i++)
        {
            if (_ids[node] >= 0) found.Add((_ids[node], i + 1));
        }

        return found;
    }

    /// <summary>The longest entry of at most <paramref name="limit"/> bytes that <paramref name="bytes"/> begins with; width 0 when there is none.</summary>
    public (int Id, int Size) Longest(ReadOnlySpan<byte> bytes, int limit = int.MaxValue)
    {
        var best = (-1, 0);
        for (int i = 0, node = 0; i < bytes.Length && i < limit && _children.TryGetValue((node, bytes[i]), out node); i++)
        {
            if (_ids[node] >= 0) best = (_ids[node], i + 1);
        }

        return best;
    }
}
