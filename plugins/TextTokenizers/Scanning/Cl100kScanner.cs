using System.Numerics;

namespace ModelZoo.Plugins.TextTokenizers.Scanning;

/// <summary><c>(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>: cl100k, Llama 3, Qwen.</summary>
internal readonly struct Cl100kScanner<TOptions> : IPieceScanner where TOptions : IPatternOptions
{
    public static ulong Starts(ref CharacterBlock block)
    {
        var (letters, numbers, spaces, newlines) = (block.Letters, block.Numbers, block.Spaces, block.Newlines);
        var other = ~(letters | numbers | block.Blanks | newlines);
        var otherStarts = other & ~((other | spaces) << 1);
        var closing = PieceStarts.Rest(newlines, newlines & other << 1);   // line ends that go with what stands before them
        // Letters go with what stands before them, unless that is a number, a line end, or in a piece with others.
        var before = numbers | newlines | block.Spread(other & (other | spaces) << 1);
        var starts = (letters & ~(letters << 1) & before << 1) | PieceStarts.Numbers(numbers, TOptions.MaxDigits) | otherStarts | PieceStarts.SpaceWithNewlines(block.Blanks, newlines & ~closing);
        for (var apostrophes = block.Apostrophes & (otherStarts | 1); apostrophes != 0; apostrophes &= apostrophes - 1)
        {
            var end = PieceStarts.ContractionEnd(ref block, BitOperations.TrailingZeroCount(apostrophes), ignoreCase: true);
            if (end > 0) starts |= letters & 1UL << end;
        }

        return PieceStarts.Certain(block, starts);
    }

    public static int Next(ReadOnlySpan<byte> text, int start)
    {
        var first = text[start];
        if (first == '\'' && ScannerParts.Contraction(text, start, ignoreCase: true) is > 0 and var contraction) return start + contraction;
        var classes = CodePointClasses.At(text, start, out var length);
        var position = start + length;
        if ((classes & CodePointClasses.Letter) != 0) return ScannerParts.LetterRun(text, position);
        if ((classes & CodePointClasses.Number) != 0) return ScannerParts.Digits(text, start, TOptions.MaxDigits);
        if ((classes & CodePointClasses.Newline) == 0 && position < text.Length && (CodePointClasses.At(text, position, out var next) & CodePointClasses.Letter) != 0)
        {
            return ScannerParts.LetterRun(text, position + next);
        }

        var other = first == ' ' ? position : start;
        var end = ScannerParts.OtherRun(text, other);
        if (end == other) return ScannerParts.SpaceWithNewlines(text, start, TOptions.TakesSpaceAtEnd);
        while (end < text.Length && text[end] is (byte)'\r' or (byte)'\n') end++;
        return end;
    }
}
