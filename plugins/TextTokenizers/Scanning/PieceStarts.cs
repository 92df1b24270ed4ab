using System.Numerics;
using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Scanning;

/// <summary>What the patterns share where they look at a whole <see cref="CharacterBlock"/>: masks of where pieces start.</summary>
internal static class PieceStarts
{
    /// <summary>Numbers, so many in a piece.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Numbers(ulong numbers, int most)
    {
        if (most == 1) return numbers;
        var starts = numbers & ~(numbers << 1);
        if (most == int.MaxValue) return starts;
        var three = numbers & numbers << 1 & numbers << 2;
        for (var next = starts << 3 & three; next != 0; next = next << 3 & three) starts |= next;
        return starts;
    }

    /// <summary>White space by <c>\s+(?!\S)|\s+</c>: runs, and the last of several, which goes with what follows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Space(ulong white) => white & (~(white << 1) | ~(white >> 1));

    /// <summary>White space by <c>\s*[\r\n]+|\s+(?!\S)|\s+</c>: as <see cref="Space"/>, after the last line end of a run.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SpaceWithNewlines(ulong blanks, ulong newlines)
    {
        var white = blanks | newlines;
        var afterNewline = blanks & newlines << 1;
        for (var more = blanks & newlines >> 1; more != 0; more &= more - 1)
        {
            // Blanks between line ends go with them: no piece starts where those that end here begin.
            var last = BitOperations.TrailingZeroCount(more);
            afterNewline &= ~(1UL << last - BitOperations.LeadingZeroCount(~(blanks << 63 - last)) + 1);
        }

        return (white & ~(white << 1)) | afterNewline | (blanks & blanks << 1 & ~(white >> 1));
    }

    /// <summary>The rest of runs, from the given places in them on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Rest(ulong runs, ulong from) => (runs & ~(runs + from)) | from; // the carry clears the bits up to the end of the run

    /// <summary>The starts that are certain: those at characters that are known; white space behind which nothing is known may go on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Certain(in CharacterBlock block, ulong starts)
    {
        var known = block.Known;
        if (known == 0) return 0;
        var end = known - BitOperations.LeadingZeroCount(~((block.Blanks | block.Newlines) << CharacterBlock.Size - known));
        return starts & ~1UL & ulong.MaxValue >> CharacterBlock.Size - known & ulong.MaxValue >> CharacterBlock.Size - 1 - Math.Min(end, CharacterBlock.Size - 1);
    }

    /// <summary>Where the contraction at an apostrophe ends; 0 where there is none. Near the end of the block, and where a long s may follow, the block ends here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int ContractionEnd(ref CharacterBlock block, int apostrophe, bool ignoreCase)
    {
        if (apostrophe + 3 >= block.Known || block.At(apostrophe + 1) >= 0x80)
        {
            block.Forget(apostrophe);
            return 0;
        }

        var length = ScannerParts.Contraction(block.At(apostrophe + 1), block.At(apostrophe + 2), ignoreCase);
        return length == 0 ? 0 : apostrophe + length;
    }
}
