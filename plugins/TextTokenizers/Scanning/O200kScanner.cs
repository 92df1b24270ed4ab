using System.Numerics;
using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Scanning;

/// <summary>
/// Words in two shapes, capitals then small letters: <c>[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+</c> or <c>...+...*</c>, then the rest of cl100k with <c>/</c> among the line ends. o200k, Mistral Nemo.
/// </summary>
internal readonly struct O200kScanner<TOptions> : IPieceScanner where TOptions : IPatternOptions
{
    private const byte Cased = CodePointClasses.Upper | CodePointClasses.Lower;

    public static ulong Starts(ref CharacterBlock block)
    {
        var (words, numbers, spaces, newlines) = (block.Words, block.Numbers, block.Spaces, block.Newlines);
        // The slow way for marks that are in no word, and for capitals behind letters without case, which may be capitals or small.
        var slow = (words & ~block.Letters & ~(words << 1) & ~block.Continuations) | (block.Capitals & block.Caseless << 1);
        if (slow != 0) block.Forget(BitOperations.TrailingZeroCount(slow));
        var other = ~(words | numbers | block.Blanks | newlines);
        var closing = PieceStarts.Rest(newlines | block.Slashes, newlines & other << 1);    // line ends and slashes that go with what stands before them
        other &= ~closing;
        var before = numbers | newlines | closing | block.Spread(other & (other | spaces) << 1);
        var starts = (words & ~(words << 1) & before << 1) | (block.Capitals & block.SmallLetters << 1) | PieceStarts.Numbers(numbers, TOptions.MaxDigits)
            | (other & ~((other | spaces) << 1)) | PieceStarts.SpaceWithNewlines(block.Blanks, newlines & ~closing);
        return PieceStarts.Certain(block, TOptions.HasContractions ? WithContractions(ref block, starts) : starts);
    }

    // A contraction goes with the word before it, but not a second one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong WithContractions(ref CharacterBlock block, ulong starts)
    {
        var words = block.Words;
        var last = 0;
        for (var apostrophes = block.Apostrophes & words << 1; apostrophes != 0; apostrophes &= apostrophes - 1)
        {
            var place = BitOperations.TrailingZeroCount(apostrophes);
            var end = place == last ? 0 : PieceStarts.ContractionEnd(ref block, place, ignoreCase: true);
            if (end == 0) continue;
            starts = (starts & ~(ulong.MaxValue << place & ~(ulong.MaxValue << end))) | (words & 1UL << end);
            last = end;
        }

        return starts;
    }

    public static int Next(ReadOnlySpan<byte> text, int start)
    {
        var classes = CodePointClasses.At(text, start, out var length);
        var position = start + length;
        if ((classes & CodePointClasses.Number) != 0) return ScannerParts.Digits(text, start, TOptions.MaxDigits);
        var end = (classes & (CodePointClasses.Letter | CodePointClasses.Newline)) != 0
            ? (classes & CodePointClasses.Letter) != 0 ? Word(text, start) : -1
            : WordAfterPrefix(text, start, position, classes);
        if (end > 0) return TOptions.HasContractions && end < text.Length && text[end] == '\'' ? end + ScannerParts.Contraction(text, end, ignoreCase: true) : end;

        var other = text[start] == ' ' ? position : start;
        end = ScannerParts.OtherRun(text, other);
        if (end == other) return ScannerParts.SpaceWithNewlines(text, start, TOptions.TakesSpaceAtEnd);
        while (end < text.Length && text[end] is (byte)'\r' or (byte)'\n' or (byte)'/') end++;
        return end;
    }

    private static int Word(ReadOnlySpan<byte> text, int start)
    {
        var end = WithSmall(text, start);
        return end > 0 ? end : ScannerParts.ClassRun(text, start, CodePointClasses.Upper) is var capitals && capitals > start ? capitals : -1;
    }

    // A mark may be prefix or part of the word: as in the pattern, first with prefix, then without, the shape with small letters before the other.
    private static int WordAfterPrefix(ReadOnlySpan<byte> text, int start, int position, byte classes)
    {
        var isMark = (classes & Cased) != 0;
        if (position < text.Length && (CodePointClasses.At(text, position, out _) & Cased) != 0)
        {
            if (WithSmall(text, position) is > 0 and var small) return small;
        }

        if (isMark && WithSmall(text, start) is > 0 and var whole) return whole;
        if (ScannerParts.ClassRun(text, position, CodePointClasses.Upper) is var capitals && capitals > position) return capitals;
        return isMark ? ScannerParts.ClassRun(text, start, CodePointClasses.Upper) : -1;
    }

    // Capitals as many as there are, then small letters; letters without case are both, so that the run of capitals may have to give some back.
    private static int WithSmall(ReadOnlySpan<byte> text, int start)
    {
        var (position, lastBoth) = (start, -1);
        while (position < text.Length)
        {
            var classes = CodePointClasses.At(text, position, out var length);
            if ((classes & CodePointClasses.Upper) == 0)
            {
                if ((classes & CodePointClasses.Lower) != 0) return ScannerParts.ClassRun(text, position, CodePointClasses.Lower);
                break;
            }

            position += length;
            if ((classes & CodePointClasses.Lower) != 0) lastBoth = position;
        }

        return lastBoth;
    }
}
