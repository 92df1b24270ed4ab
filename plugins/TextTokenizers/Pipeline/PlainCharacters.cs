using System.Globalization;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>
/// The characters beside which a text may be cut at spaces before it is normalized: they join no cluster with a space, and normalizing them with a space beside them is normalizing both apart.
/// Each is tried out when it is first met. A mark, which belongs to what stands before it, is only ever plain in front of a space.
/// </summary>
/// <param name="normalize">Normalizes a text in the midst of another.</param>
/// <param name="separators">The spaces, all ASCII.</param>
internal sealed class PlainCharacters(Func<string, string> normalize, byte[] separators)
{
    private readonly ulong[] _known = new ulong[0x110000 / 64];
    private readonly ulong[] _startPlain = new ulong[0x110000 / 64];
    private readonly ulong[] _endPlain = new ulong[0x110000 / 64];

    /// <summary>Whether the character that ends at a place, which is above 0, is plain.</summary>
    public bool EndsAt(ReadOnlySpan<byte> text, int end) => IsPlain(text[end - 1] < 0x80 ? text[end - 1] : CodePoints.DecodeBefore(text, end, out _), _endPlain);

    /// <summary>Whether the character that starts at a place is plain.</summary>
    public bool StartsAt(ReadOnlySpan<byte> text, int start) => IsPlain(text[start] < 0x80 ? text[start] : CodePoints.Decode(text, start, out _), _startPlain);

    private bool IsPlain(int c, ulong[] plain)
    {
        if ((Volatile.Read(ref _known[c >> 6]) >> c & 1) == 0)
        {
            if (TryOut(c)) Interlocked.Or(ref _startPlain[c >> 6], 1UL << c);
            if (TryOutBefore(c)) Interlocked.Or(ref _endPlain[c >> 6], 1UL << c);
            Interlocked.Or(ref _known[c >> 6], 1UL << c);
        }

        return (plain[c >> 6] >> c & 1) != 0;
    }

    // Whether a text that ends with it may be cut from a space.
    private bool TryOutBefore(int c)
    {
        if (!Rune.IsValid(c) || Rune.GetUnicodeCategory(new(c)) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark)) return TryOut(c);
        var text = char.ConvertFromUtf32(c);
        var (alone, marked) = (normalize(text), normalize("a" + text));
        if (alone.Length == 0 || IsSpace(alone[^1]) || marked == normalize("a")) return false;
        foreach (var separator in separators)
        {
            var space = ((char)separator).ToString();
            if (StringInfo.GetNextTextElementLength("a" + text + space) != 1 + text.Length || normalize("a" + text + space) != marked + normalize(space) || normalize(text + space) != alone + normalize(space)) return false;
        }

        return true;
    }

    private bool TryOut(int c)
    {
        if (!Rune.IsValid(c) || Rune.GetUnicodeCategory(new(c)) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
            or UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse
            or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator) return false;
        var text = char.ConvertFromUtf32(c);
        var alone = normalize(text);
        if (alone.Length == 0 || IsSpace(alone[0]) || IsSpace(alone[^1])) return false;
        foreach (var separator in separators)
        {
            var space = ((char)separator).ToString();
            if (StringInfo.GetNextTextElementLength(space + text) != 1 || StringInfo.GetNextTextElementLength(text + space) != text.Length) return false;
            if (normalize(space + text) != normalize(space) + alone || normalize(text + space) != alone + normalize(space)) return false;
        }

        return true;
    }

    private static bool IsSpace(char c) => char.IsWhiteSpace(c) || c == '\u2581';
}
