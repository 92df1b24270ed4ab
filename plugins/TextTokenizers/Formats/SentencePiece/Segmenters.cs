using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>A stretch of normalized text and the piece that it is.</summary>
internal readonly record struct Segment(int Start, int End, int Id);

/// <summary>Cuts normalized text into pieces.</summary>
internal abstract class Segmenter
{
    /// <summary>Appends the pieces of a text, in order, covering it. 16 bytes behind the text must be readable.</summary>
    public abstract void Cut(ReadOnlySpan<byte> text, List<Segment> output);

    /// <summary>Number of bytes of the first character, or of the user-defined symbol that stands there.</summary>
    protected static int Character(ByteTrie symbols, ReadOnlySpan<byte> text, out bool isSymbol)
    {
        var length = symbols.Longest(text, out _);
        isSymbol = length > 0;
        return isSymbol ? length : Math.Min(text.Length, CodePoints.Utf8Length(text[0]));
    }
}

/// <summary>Every character by itself.</summary>
internal sealed class CharacterSegmenter(SentencePieceVocabulary vocabulary) : Segmenter
{
    public override void Cut(ReadOnlySpan<byte> text, List<Segment> output)
    {
        for (var start = 0; start < text.Length;)
        {
            var end = start + Character(vocabulary.Symbols, text[start..], out _);
            output.Add(new(start, end, vocabulary.IdOf(text[start..end])));
            start = end;
        }
    }
}

/// <summary>Every word by itself, with the space before it.</summary>
internal sealed class WordSegmenter(SentencePieceVocabulary vocabulary) : Segmenter
{
    public override void Cut(ReadOnlySpan<byte> text, List<Segment> output)
    {
        for (var start = 0; start < text.Length;)
        {
            var next = text[(start + 1)..].IndexOf(SentencePieceVocabulary.Space);
            var end = next < 0 ? text.Length : start + 1 + next;
            output.Add(new(start, end, vocabulary.IdOf(text[start..end])));
            start = end;
        }
    }
}
