using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Scanning;

/// <summary><c>(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>: cl100k, Llama 3, Qwen.</summary>
internal readonly struct Cl100kScanner<TOptions> : IPieceScanner where TOptions : IPatternOptions
{
    private static readonly byte[] WordStarts = ScannerParts.WordStarts(static c => !char.IsAsciiDigit(c) && c is not ('\r' or '\n' or '\''));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Next(ReadOnlySpan<byte> text, int start) => ScannerParts.AsciiWord(text, start, WordStarts) is > 0 and var end ? end : Other(text, start);

    private static int Other(ReadOnlySpan<byte> text, int start)
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
