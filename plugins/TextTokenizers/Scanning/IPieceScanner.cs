namespace ModelZoo.Plugins.TextTokenizers.Scanning;

/// <summary>A well-known pattern, written out by hand. Pieces follow each other without gaps.</summary>
internal interface IPieceScanner
{
    /// <summary>The end of the piece that starts at <paramref name="start"/>.</summary>
    static abstract int Next(ReadOnlySpan<byte> text, int start);

    /// <summary>Where pieces start in a block behind its first byte, as a mask: all up to the last that is certain; 0 when the first piece does not end in the block, or that is not certain.</summary>
    static abstract ulong Starts(ref CharacterBlock block);
}

/// <summary>How the patterns of a family differ.</summary>
internal interface IPatternOptions
{
    /// <summary>Most digits in a piece.</summary>
    static abstract int MaxDigits { get; }

    /// <summary>Whether contractions such as <c>'s</c> are known.</summary>
    static abstract bool HasContractions { get; }

    /// <summary>Whether white space that runs to the end of the text is one piece, line ends and all (<c>\s++$</c> comes first).</summary>
    static abstract bool TakesSpaceAtEnd { get; }
}
