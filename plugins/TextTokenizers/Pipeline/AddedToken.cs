namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>A token besides the model's vocabulary, cut out of the text before the model sees it.</summary>
/// <param name="Content">Its text.</param>
public sealed record AddedToken(string Content)
{
    /// <summary>Matches only between what are not word characters.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Takes the white space before it.</summary>
    public bool LeftStrip { get; init; }

    /// <summary>Takes the white space after it.</summary>
    public bool RightStrip { get; init; }

    /// <summary>Is looked for, normalized, in the normalized text rather than in the raw one.</summary>
    public bool Normalized { get; init; } = true;

    /// <summary>Is left out when decoding without special tokens.</summary>
    public bool Special { get; init; }
}
