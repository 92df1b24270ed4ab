using System.Buffers;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>Where a word stands, as far as a step of a pipeline may ask.</summary>
[Flags]
internal enum WordPlace : byte
{
    /// <summary>In the midst of a stretch between added tokens.</summary>
    Inside = 0,

    /// <summary>At the start of one.</summary>
    Start = 1,

    /// <summary>At the end of one.</summary>
    End = 2,

    /// <summary>At the start of the whole text.</summary>
    TextStart = 4,
}

/// <summary>
/// Cuts a raw text into words such that normalizing and pre-tokenizing them one by one is doing it to the whole: for pipelines in which no step looks beyond a space.
/// A word has the spaces before it; the words cover the text.
/// </summary>
internal sealed class WordFinder
{
    private readonly Normalizer?[] _normalizers; // by Start | End
    private readonly SearchValues<byte> _separators;
    private readonly PlainCharacters _plain;

    // Without separators a text is one word.
    private WordFinder(Normalizer?[] normalizers, byte[] separators)
    {
        _normalizers = normalizers;
        _separators = SearchValues.Create(separators);
        _plain = new(text => Apply(normalizers[0], text), separators);
    }

    /// <summary>The finder of a pipeline; null where a step may look beyond a space.</summary>
    public static WordFinder? TryMake(Normalizer? normalizer, PreTokenizer? preTokenizer)
    {
        if (preTokenizer is null || normalizer is { IsWordwise: false }) return null;
        var normalizers = ByPlace(normalizer);
        byte[] separators = [.. " \n\t\r"u8.ToArray().Where(separator => preTokenizer.CutsAt(Apply(normalizers[0], ((char)separator).ToString())))];
        return separators.Length == 0 ? null : new(normalizers, separators);
    }

    /// <summary>The finder that takes a whole stretch for one word, whatever the pre-tokenizer; null where normalizing looks beyond a space.</summary>
    public static WordFinder? TryMakeWhole(Normalizer? normalizer) => normalizer is { IsWordwise: false } ? null : new(ByPlace(normalizer), []);

    /// <summary>What the normalizer is for a word there; null for nothing.</summary>
    public Normalizer? NormalizerAt(WordPlace place) => _normalizers[(int)(place & (WordPlace.Start | WordPlace.End))];

    /// <summary>Number of bytes of the first word of a text that is not empty: spaces, and what follows up to spaces between two plain characters.</summary>
    /// <param name="text">The text.</param>
    /// <param name="place">Where it stands; told <see cref="WordPlace.End"/> of the last word.</param>
    public int Next(ReadOnlySpan<byte> text, ref WordPlace place)
    {
        var at = SkipSeparators(text, 0);
        while (true)
        {
            var found = text[at..].IndexOfAny(_separators);
            if (found < 0)
            {
                place |= WordPlace.End;
                return text.Length;
            }

            var end = at + found;
            at = SkipSeparators(text, end);
            if (_plain.EndsAt(text, end) && (at == text.Length || _plain.StartsAt(text, at))) return end;
        }
    }

    /// <summary>A word as the steps of a pipeline want it. Some ask whether a piece starts the whole text: another one has a byte before it.</summary>
    public static AlignedText ToText(ReadOnlySpan<byte> word, WordPlace place)
    {
        var before = (place & WordPlace.TextStart) != 0 ? 0 : 1;
        var bytes = new byte[before + word.Length];
        bytes[0] = (byte)' ';
        word.CopyTo(bytes.AsSpan(before));
        return AlignedText.Of(bytes).Slice(before, bytes.Length);
    }

    private static Normalizer?[] ByPlace(Normalizer? normalizer) => [.. Enumerable.Range(0, 4).Select(place => normalizer?.At((place & (int)WordPlace.Start) != 0, (place & (int)WordPlace.End) != 0))];

    private static string Apply(Normalizer? normalizer, string text) => normalizer?.Normalize(text) ?? text;

    private int SkipSeparators(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && _separators.Contains(text[at])) at++;
        return at;
    }
}
