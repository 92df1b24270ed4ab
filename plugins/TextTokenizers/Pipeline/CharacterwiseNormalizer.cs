using System.Globalization;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>
/// A normalizer's work character by character, without a record of where each came from. What becomes of a character is asked once and kept. Characters that join others
/// (marks, jamo, what makes clusters) or that a replacement of several looks for are left to the normalizer itself.
/// </summary>
internal sealed class CharacterwiseNormalizer
{
    private const int Unknown = 0, Joining = -1;
    private const int LengthBits = 6;

    private readonly Normalizer? _normalizer;
    private readonly string _refused;
    private readonly bool _refusesSpaces;
    private readonly int[] _places = new int[0x10000]; // of the result among the bytes, and its length; Unknown; Joining
    private readonly Lock _lock = new();
    private byte[] _bytes = new byte[1024];
    private int _used = 1;

    /// <summary>The work of a normalizer in the midst of a text.</summary>
    public CharacterwiseNormalizer(Normalizer? normalizer)
    {
        _normalizer = normalizer;
        var replacements = All(normalizer).OfType<ReplaceNormalizer>().ToList();
        _refusesSpaces = replacements.Any(replacement => replacement.IsRegex);
        _refused = string.Concat(replacements.Where(replacement => !replacement.IsRegex && new StringInfo(replacement.Pattern).LengthInTextElements > 1).Select(replacement => replacement.Pattern));
    }

    /// <summary>Writes the normalized text; false when it takes the normalizer itself.</summary>
    public bool TryApply(ReadOnlySpan<byte> text, ref byte[] output, out int length)
    {
        length = 0;
        for (var i = 0; i < text.Length;)
        {
            var c = CodePoints.Decode(text, i, out var width);
            i += width;
            if (c > 0xFFFF) return false;
            var place = Volatile.Read(ref _places[c]);
            if (place == Unknown) place = Ask(c);
            if (place == Joining) return false;
            if (_refusesSpaces && c == ' ' && length > 0 && output[length - 1] == ' ') return false;
            var count = place & (1 << LengthBits) - 1;
            if (length + count > output.Length) Array.Resize(ref output, Math.Max(output.Length * 2, length + count));
            if (count == 1) output[length] = _bytes[place >> LengthBits];
            else Volatile.Read(ref _bytes).AsSpan(place >> LengthBits, count).CopyTo(output.AsSpan(length));
            length += count;
        }

        return true;
    }

    private int Ask(int c)
    {
        var place = Joining;
        lock (_lock)
        {
            if (_places[c] != Unknown) return _places[c];
            if (IsAlone(c))
            {
                var text = ((char)c).ToString();
                var result = _normalizer?.Normalize(text) ?? text;
                var utf8 = Encoding.UTF8.GetBytes(result);
                if (utf8.Length < 1 << LengthBits && !text.AsSpan().ContainsAny(_refused) && !result.AsSpan().ContainsAny(_refused) && (!_refusesSpaces || c == ' ' || !result.Contains(' '))
                    && result.EnumerateRunes().All(rune => IsAlone(rune.Value)))
                {
                    if (_used + utf8.Length > _bytes.Length)
                    {
                        var larger = new byte[Math.Max(_bytes.Length * 2, _used + utf8.Length)];
                        _bytes.CopyTo(larger, 0);
                        Volatile.Write(ref _bytes, larger);
                    }

                    utf8.CopyTo(_bytes, _used);
                    place = _used << LengthBits | utf8.Length;
                    _used += utf8.Length;
                }
            }

            Volatile.Write(ref _places[c], place);
        }

        return place;
    }

    // Neither joins what stands before or after it nor is composed with it.
    private static bool IsAlone(int c)
    {
        if (c is >= 0x1100 and < 0x1200 or '\r' || !Rune.IsValid(c)) return false;
        if (c < 0x80) return true;
        var text = char.ConvertFromUtf32(c);
        return CharUnicodeInfo.GetUnicodeCategory(c) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned)
            && StringInfo.GetNextTextElementLength("a" + text) == 1 && StringInfo.GetNextTextElementLength(text + "a") == text.Length && StringInfo.GetNextTextElementLength(text + text) == text.Length;
    }

    private static IEnumerable<Normalizer> All(Normalizer? normalizer) => normalizer switch
    {
        null => [],
        SequenceNormalizer sequence => sequence.Items.SelectMany(All),
        _ => [normalizer],
    };
}
