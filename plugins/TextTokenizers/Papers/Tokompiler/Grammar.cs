// Scope is all you need: Transforming LLMs for HPC Code, arXiv:2308.09440: a grammar as productions.

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

/// <summary>On which side repeated operators of one precedence join.</summary>
internal enum Associativity
{
    /// <summary>It is not said.</summary>
    None,

    /// <summary>a - b - c is (a - b) - c.</summary>
    Left,

    /// <summary>a = b = c is a = (b = c).</summary>
    Right,
}

/// <summary>A symbol within a production.</summary>
/// <param name="Symbol">Terminal or not.</param>
/// <param name="Alias">The kind under which it stands in the tree; null for its own.</param>
/// <param name="Precedence">Of what is read up to here.</param>
/// <param name="Associativity">Of what is read up to here.</param>
internal readonly record struct Step(int Symbol, string? Alias, int Precedence, Associativity Associativity);

/// <summary>What a symbol may be made of.</summary>
/// <param name="Head">The symbol that the steps make.</param>
/// <param name="Steps">In order; none for an empty text.</param>
/// <param name="Rank">Added to the rank of a reading that has it.</param>
internal sealed record Production(int Head, IReadOnlyList<Step> Steps, int Rank);

/// <summary>Terminals 0 to <see cref="TerminalCount"/> - 1 (0 is the end of the text), then the others; the first of those is the start.</summary>
internal sealed class Grammar
{
    /// <summary>The end of the text.</summary>
    public const int End = 0;

    /// <summary>Names by symbol.</summary>
    public required IReadOnlyList<string> Names { get; init; }

    /// <summary>How many terminals there are, the end included.</summary>
    public required int TerminalCount { get; init; }

    /// <summary>All productions, those of a symbol next to each other, in the order of symbols.</summary>
    public required IReadOnlyList<Production> Productions { get; init; }

    /// <summary>Words that the lexer reads as a name first: the terminal of each.</summary>
    public required IReadOnlyDictionary<string, int> Keywords { get; init; }

    /// <summary>Other spellings: the terminal of each. Some are only read where no white space comes before.</summary>
    public required IReadOnlyList<(string Text, int Terminal, bool IsImmediate)> Literals { get; init; }

    /// <summary>Terminals with a rule of their own in the lexer, by name.</summary>
    public required IReadOnlyDictionary<string, int> Tokens { get; init; }

    /// <summary>The terminal that may stand between any two others.</summary>
    public required int Extra { get; init; }

    /// <summary>Symbols that make a node even around a single other.</summary>
    public required IReadOnlySet<int> Kept { get; init; }

    /// <summary>True for symbols that were made for repetition.</summary>
    public required IReadOnlySet<int> Repeats { get; init; }

    /// <summary>The start symbol.</summary>
    public int Start => TerminalCount;

    /// <summary>True for symbols that stand in the tree; of others only what they are made of does.</summary>
    public bool IsVisible(int symbol) => !Repeats.Contains(symbol) && (Names[symbol][0] != '_' || Keywords.ContainsKey(Names[symbol]));
}
