// Scope is all you need: Transforming LLMs for HPC Code, arXiv:2308.09440: several readings of a text at once.

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

/// <summary>A place on the stack; places below it, each with what was read between.</summary>
internal sealed class StackPlace
{
    private const int MaxLinks = 8;

    private readonly List<(StackPlace Below, SyntaxNode? Node)> _links = [];

    /// <summary>The place at the beginning.</summary>
    public StackPlace() => State = ParseTable.First;

    /// <summary>A place above another; a null node is where an error begins.</summary>
    public StackPlace(StackPlace below, SyntaxNode? node, int state)
    {
        State = state;
        Position = node?.End ?? below.Position;
        Cost = below.Cost + (node?.Cost ?? 0);
        Rank = below.Rank + (node?.Rank ?? 0);
        Count = below.Count + (node?.Count ?? 0);
        _links.Add((below, node));
    }

    public int State { get; }
    public int Position { get; }
    public int Cost { get; }
    public int Rank { get; private set; }
    public int Count { get; private set; }
    public IReadOnlyList<(StackPlace Below, SyntaxNode? Node)> Links => _links;

    /// <summary>Adds another way to have come here.</summary>
    public void Link(StackPlace below, SyntaxNode? node)
    {
        if (below == this) return;
        for (var i = 0; i < _links.Count; i++)
        {
            var (known, old) = _links[i];
            if (!IsAlike(old, node)) continue;
            if (known == below)
            {
                if (node is null || old is null || node.Rank <= old.Rank) return;
                _links[i] = (known, node);
                Rank = below.Rank + node.Rank;
                return;
            }

            if (known.State != below.State || known.Position != below.Position) continue;
            foreach (var (further, between) in below.Links) known.Link(further, between);
            Rank = Math.Max(Rank, below.Rank + (node?.Rank ?? 0));
            return;
        }

        if (_links.Count == MaxLinks) return;
        _links.Add((below, node));
        Count = Math.Max(Count, below.Count + (node?.Count ?? 0));
        Rank = Math.Max(Rank, below.Rank + (node?.Rank ?? 0));
    }

    private static bool IsAlike(SyntaxNode? a, SyntaxNode? b)
    {
        if (ReferenceEquals(a, b)) return true;
        if (a is null || b is null || a.Symbol != b.Symbol) return false;
        return (a.Cost > 0 && b.Cost > 0) || (a.Start == b.Start && a.End == b.End && a.Children.Count == b.Children.Count && a.IsExtra == b.IsExtra);
    }
}

/// <summary>What a reading is doing.</summary>
internal enum ReadingStatus
{
    /// <summary>It goes on.</summary>
    Active,

    /// <summary>It met a token that it does not expect.</summary>
    Paused,

    /// <summary>It is given up.</summary>
    Halted,
}

/// <summary>One reading: the place it has come to.</summary>
internal sealed class Reading(StackPlace top)
{
    public StackPlace Top { get; set; } = top;
    public ReadingStatus Status { get; set; }

    /// <summary>The token that it does not expect.</summary>
    public SyntaxNode? Unexpected { get; set; }

    /// <summary>Nodes that were read when the last error began.</summary>
    public int CountAtError { get; set; }

    /// <summary>States below the place where the last error began: how deep each is, and where it was.</summary>
    public IReadOnlyList<(int Depth, int State, int Position)>? Summary { get; set; }

    /// <summary>Cost so far; an error that has only begun counts as one.</summary>
    public int Cost => Top.Cost + (Status == ReadingStatus.Paused || (Top.State == ParseTable.Error && Top.Links[0].Node is null) ? SyntaxNode.CostOfError : 0);

    /// <summary>Nodes that were read since the last error.</summary>
    public int CountSinceError
    {
        get
        {
            CountAtError = Math.Min(CountAtError, Top.Count);
            return Top.Count - CountAtError;
        }
    }

    /// <summary>Goes on to a state; a null node begins an error.</summary>
    public void Push(SyntaxNode? node, int state)
    {
        Top = new(Top, node, state);
        if (node is null) CountAtError = Top.Count;
    }
}

/// <summary>The readings of a text, the most promising first.</summary>
internal sealed class ReadingStack
{
    private const int MaxPaths = 64;

    private readonly List<Reading> _readings = [new(new StackPlace())];

    public int Count => _readings.Count;

    public Reading this[int index] => _readings[index];

    public void Clear() => _readings.Clear();

    public void RemoveAt(int index) => _readings.RemoveAt(index);

    public void Swap(int a, int b) => (_readings[a], _readings[b]) = (_readings[b], _readings[a]);

    /// <summary>A reading takes the place of an earlier one.</summary>
    public void Replace(int target, int source)
    {
        if (target == source) return;
        _readings[source].Summary ??= _readings[target].Summary;
        _readings[target] = _readings[source];
        _readings.RemoveAt(source);
    }

    /// <summary>A reading that begins where another is; gives its index.</summary>
    public int Copy(int index)
    {
        _readings.Add(new(_readings[index].Top) { CountAtError = _readings[index].CountAtError });
        return _readings.Count - 1;
    }

    public bool CanMerge(int a, int b)
    {
        var (first, second) = (_readings[a], _readings[b]);
        return first.Status == ReadingStatus.Active && second.Status == ReadingStatus.Active
            && first.Top.State == second.Top.State && first.Top.Position == second.Top.Position && first.Top.Cost == second.Top.Cost;
    }

    /// <summary>Makes one of two readings that have come to the same; false when they have not.</summary>
    public bool Merge(int into, int from)
    {
        if (!CanMerge(into, from)) return false;
        var top = _readings[into].Top;
        foreach (var (below, node) in _readings[from].Top.Links.ToList()) top.Link(below, node);
        if (top.State == ParseTable.Error) _readings[into].CountAtError = top.Count;
        _readings.RemoveAt(from);
        return true;
    }

    /// <summary>Takes that many nodes (extra ones between them too) off a reading: each way down becomes a new reading, or joins one that it shares its end with.</summary>
    public List<(int Reading, List<SyntaxNode> Nodes)> Pop(int index, int count) => Slices(index, Walk(index, path => path.Count == count));

    /// <summary>Takes everything off.</summary>
    public List<(int Reading, List<SyntaxNode> Nodes)> PopAll(int index) => Slices(index, Walk(index, path => path.Place.Links.Count == 0));

    /// <summary>Takes an error off the top and gives what it holds; empty when there is none.</summary>
    public IReadOnlyList<SyntaxNode> PopError(int index)
    {
        var link = _readings[index].Top.Links.FirstOrDefault(link => link.Node is { IsError: true });
        if (link.Node is null) return [];
        _readings[index].Top = link.Below;
        return link.Node.Children;
    }

    /// <summary>Notes the states below a reading, down to a depth.</summary>
    public void Summarize(int index, int maxDepth)
    {
        var summary = new List<(int Depth, int State, int Position)>();
        Walk(index, path =>
        {
            if (path.Count > maxDepth) return null;
            for (var i = summary.Count - 1; i >= 0 && summary[i].Depth >= path.Count; i--)
            {
                if (summary[i].Depth == path.Count && summary[i].State == path.Place.State) return false;
            }

            summary.Add((path.Count, path.Place.State, path.Place.Position));
            return false;
        });
        _readings[index].Summary = summary;
    }

    // Paths that have come to their end.
    private List<Path> Walk(int index, Func<Path, bool?> isEnd)
    {
        var ends = new List<Path>();
        var paths = new List<Path> { new(_readings[index].Top, 0, null) };
        while (paths.Count > 0)
        {
            for (int i = 0, size = paths.Count; i < size; i++)
            {
                var path = paths[i];
                var end = isEnd(path);
                if (end == true) ends.Add(path);
                if (end != false || path.Place.Links.Count == 0)
                {
                    paths.RemoveAt(i);
                    i--;
                    size--;
                    continue;
                }

                var links = path.Place.Links;
                for (var j = 1; j < links.Count && paths.Count < MaxPaths; j++) paths.Add(path.Follow(links[j]));
                paths[i] = path.Follow(links[0]);
            }
        }

        return ends;
    }

    private List<(int, List<SyntaxNode>)> Slices(int index, List<Path> paths)
    {
        var slices = new List<(int Reading, List<SyntaxNode> Nodes)>();
        foreach (var path in paths)
        {
            var same = slices.FindLastIndex(slice => _readings[slice.Reading].Top == path.Place);
            if (same >= 0)
            {
                slices.Insert(same + 1, (slices[same].Reading, path.ToList()));
                continue;
            }

            _readings.Add(new(path.Place) { CountAtError = _readings[index].CountAtError });
            slices.Add((_readings.Count - 1, path.ToList()));
        }

        return slices;
    }

    // A way down: where it is, nodes passed that are not extra, and all nodes, the deepest first.
    private sealed record Path(StackPlace Place, int Count, Chain? Nodes)
    {
        public Path Follow((StackPlace Below, SyntaxNode? Node) link) =>
            new(link.Below, Count + (link.Node is { IsExtra: true } ? 0 : 1), link.Node is null ? Nodes : new(link.Node, Nodes));

        public List<SyntaxNode> ToList()
        {
            var nodes = new List<SyntaxNode>();
            for (var chain = Nodes; chain is not null; chain = chain.Next) nodes.Add(chain.Node);
            return nodes;
        }
    }

    private sealed record Chain(SyntaxNode Node, Chain? Next);
}
