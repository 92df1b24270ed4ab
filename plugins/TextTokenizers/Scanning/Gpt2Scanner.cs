using System.Numerics;

namespace ModelZoo.Plugins.TextTokenizers.Scanning;

/// <summary><c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c></summary>
internal readonly struct Gpt2Scanner : IPieceScanner
{
    public static ulong Starts(ref CharacterBlock block)
    {
        var (letters, numbers, spaces, white) = (block.Letters, block.Numbers, block.Spaces, block.Blanks | block.Newlines);
        var other = ~(letters | numbers | white);
        var otherStarts = other & ~((other | spaces) << 1);
        var starts = (letters & ~((letters | spaces) << 1)) | (numbers & ~((numbers | spaces) << 1)) | otherStarts | PieceStarts.Space(white);
        for (var apostrophes = block.Apostrophes & (otherStarts | 1); apostrophes != 0; apostrophes &= apostrophes - 1)
        {
            var place = BitOperations.TrailingZeroCount(apostrophes);
            var end = PieceStarts.ContractionEnd(ref block, place, ignoreCase: false);
            if (end > 0) starts = (starts & ~(1UL << place + 1)) | (letters & 1UL << end);
        }

        return PieceStarts.Certain(block, starts);
    }

    public static int Next(ReadOnlySpan<byte> text, int start)
    {
        var first = text[start];
        if (first == '\'' && ScannerParts.Contraction(text, start, ignoreCase: false) is > 0 and var contraction) return start + contraction;
        var position = first == ' ' && start + 1 < text.Length ? start + 1 : start;
        var classes = CodePointClasses.At(text, position, out var length);
        if ((classes & CodePointClasses.Letter) != 0) return ScannerParts.LetterRun(text, position + length);
        if ((classes & CodePointClasses.Number) != 0) return ScannerParts.ClassRun(text, position + length, CodePointClasses.Number);
        return (classes & CodePointClasses.Space) == 0 ? ScannerParts.OtherRun(text, position + length) : ScannerParts.Space(text, start);
    }
}
