namespace ModelZoo.Plugins.TextTokenizers.Regex;

/// <summary>What a regular expression is made of.</summary>
internal abstract record RegexNode
{
    /// <summary>One member of a set.</summary>
    public sealed record Set(CharacterSet Members) : RegexNode;

    /// <summary>One after the other.</summary>
    public sealed record Sequence(IReadOnlyList<RegexNode> Items) : RegexNode;

    /// <summary>The first that matches.</summary>
    public sealed record Choice(IReadOnlyList<RegexNode> Items) : RegexNode;

    /// <summary>Repetition; <paramref name="Max"/> is -1 when there is no limit.</summary>
    public sealed record Repeat(RegexNode Item, int Min, int Max, RepeatMode Mode) : RegexNode;

    /// <summary>A group that, once matched, is not tried again.</summary>
    public sealed record Atomic(RegexNode Item) : RegexNode;

    /// <summary>Looks without taking; behind when <paramref name="Behind"/>.</summary>
    public sealed record Look(RegexNode Item, bool Behind, bool Negative) : RegexNode;

    /// <summary>A place in the text.</summary>
    public sealed record Anchor(AnchorKind Kind) : RegexNode;
}

/// <summary>How a repetition takes and gives back.</summary>
internal enum RepeatMode
{
    Greedy,
    Lazy,
    Possessive,
}

/// <summary>A place in the text.</summary>
internal enum AnchorKind
{
    TextStart,
    TextEnd,
    TextEndOrLastNewline,
    LineStart,
    LineEnd,
    WordBoundary,
    NotWordBoundary,
}

/// <summary>Whose rules a pattern is read by.</summary>
internal enum RegexFlavor
{
    /// <summary>Oniguruma with Ruby syntax, as in Hugging Face tokenizers.</summary>
    Oniguruma,

    /// <summary>The Rust crate fancy-regex, as in tiktoken.</summary>
    Rust,
}
