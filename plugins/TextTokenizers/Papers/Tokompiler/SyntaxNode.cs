// Scope is all you need: Transforming LLMs for HPC Code, arXiv:2308.09440: trees.

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

/// <summary>A piece of text that was read, with what the search among readings needs to know of it.</summary>
internal sealed record SyntaxNode
{
    /// <summary>Symbols of text that no rule explains, and of the part of it that is still growing.</summary>
    public const int Error = -1, GrowingError = -2;

    /// <summary>What an error costs.</summary>
    public const int CostOfError = 500;

    /// <summary>What each piece, line and byte costs that is left out.</summary>
    public const int CostOfPiece = 100, CostOfLine = 30, CostOfByte = 1;

    private const int CostOfMissing = 110;

    private SyntaxNode()
    {
    }

    /// <summary>A symbol of the grammar, or an error.</summary>
    public required int Symbol { get; init; }

    /// <summary>First byte.</summary>
    public required int Start { get; init; }

    /// <summary>One past the last byte.</summary>
    public required int End { get; init; }

    /// <summary>All that it is made of, comments included.</summary>
    public IReadOnlyList<SyntaxNode> Children { get; init; } = [];

    /// <summary>Kinds under which those children stand that have another than their own, by place among children that are not extra.</summary>
    public IReadOnlyList<Step> Steps { get; init; } = [];

    /// <summary>True for what may stand anywhere.</summary>
    public bool IsExtra { get; init; }

    /// <summary>True for a word that would be a name elsewhere.</summary>
    public bool IsKeyword { get; init; }

    /// <summary>What its errors cost.</summary>
    public int Cost { get; init; }

    /// <summary>The greater, the better of two readings.</summary>
    public int Rank { get; init; }

    /// <summary>Nodes below and this one.</summary>
    public int Count { get; init; } = 1;

    /// <summary>True for nodes that stand in the tree.</summary>
    public bool IsVisible { get; init; }

    /// <summary>Children that stand in the tree.</summary>
    public int VisibleChildren { get; init; }

    /// <summary>True for text that no rule explains.</summary>
    public bool IsError => Symbol == Error;

    /// <summary>A token.</summary>
    public static SyntaxNode Leaf(Token token, bool isVisible) => new() { Symbol = token.Terminal, Start = token.Start, End = token.End, IsVisible = isVisible, IsKeyword = token.IsKeyword };

    /// <summary>Characters that begin no token.</summary>
    public static SyntaxNode OfUnreadable(Token token) => new() { Symbol = Error, Start = token.Start, End = token.End, IsVisible = true };

    /// <summary>A token that should have been at <paramref name="place"/>.</summary>
    public static SyntaxNode Missing(int terminal, int place, bool isVisible) =>
        new() { Symbol = terminal, Start = place, End = place, IsVisible = isVisible, Cost = CostOfMissing + CostOfError };

    /// <summary>A node around others.</summary>
    public static SyntaxNode Of(Production production, IReadOnlyList<SyntaxNode> children, int place, bool isVisible) => Around(new()
    {
        Symbol = production.Head,
        Start = place,
        End = place,
        Steps = production.Steps,
        IsVisible = isVisible,
    }, children);

    /// <summary>A node around what no rule explains.</summary>
    public static SyntaxNode OfError(IReadOnlyList<SyntaxNode> children, int place, SourceText text, bool isGrowing, bool isExtra = false)
    {
        var node = Around(new() { Symbol = isGrowing ? GrowingError : Error, Start = place, End = place, IsVisible = !isGrowing, IsExtra = isExtra }, children);
        return node with { Cost = node.Cost + CostOfError + CostOfWhatIsLeftOut(node, text) };
    }

    /// <summary>The same node around other children.</summary>
    public SyntaxNode Around(IReadOnlyList<SyntaxNode> children, SourceText text) => IsError ? OfError(children, Start, text, isGrowing: false) : Around(this with { Steps = [] }, children);

    private static int CostOfWhatIsLeftOut(SyntaxNode node, SourceText text)
    {
        var pieces = node.Children.Where(child => !child.IsExtra && !(child.IsError && child.Children.Count == 0)).Sum(child => child.IsVisible ? 1 : child.Children.Count > 0 ? child.VisibleChildren : 0);
        return (CostOfPiece * pieces) + (CostOfByte * (node.End - node.Start)) + (CostOfLine * text.Lines(node.Start, node.End));
    }

    /// <summary>The kind that a child goes by when it is not its own; null otherwise.</summary>
    /// <param name="place">Its place among children that are not extra.</param>
    public string? AliasAt(int place) => place < Steps.Count ? Steps[place].Alias : null;

    private static SyntaxNode Around(SyntaxNode node, IReadOnlyList<SyntaxNode> children)
    {
        if (children.Count == 0) return node with { Children = [] };
        var (cost, rank, count, visible, place) = (0, 0, 1, 0, 0);
        foreach (var child in children)
        {
            if (child.Symbol != GrowingError) cost += child.Cost;
            rank += child.Rank;
            count += child.Count;
            visible += child.IsVisible || (!child.IsExtra && node.AliasAt(place) is not null) ? 1 : child.VisibleChildren;
            if (!child.IsExtra) place++;
        }

        return node with { Children = children, Start = children[0].Start, End = children[^1].End, Cost = cost, Rank = rank, Count = count, VisibleChildren = visible };
    }
}

/// <summary>A text as UTF-8 bytes, which knows its lines.</summary>
internal sealed class SourceText(byte[] bytes)
{
    private readonly int[] _newlines = [.. Enumerable.Range(0, bytes.Length).Where(i => bytes[i] == '\n')];

    /// <summary>The bytes.</summary>
    public byte[] Bytes => bytes;

    /// <summary>Ends of lines from <paramref name="start"/> to before <paramref name="end"/>.</summary>
    public int Lines(int start, int end) => Before(end) - Before(start);

    private int Before(int place)
    {
        var found = Array.BinarySearch(_newlines, place);
        return found < 0 ? ~found : found;
    }
}
