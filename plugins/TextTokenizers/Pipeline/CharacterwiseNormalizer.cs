using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>
/// A normalizer's work character by character, without a record of where each came from. What becomes of a character, or of one with its marks, is asked once and kept. Characters that join others in other ways
/// (jamo, flags) or that a replacement of several looks for are left to the normalizer itself.
/// </summary>
internal sealed class CharacterwiseNormalizer
{
    private const int Unknown = 0;
    private const int Joining = -1;   // what it becomes depends on what stands beside it
    private const int Extending = -2; // it belongs to what stands before it
    private const int Linking = -3;   // so does what comes behind it
    private const int Composed = -4;  // it becomes a character with marks
    private const int LengthBits = 6;
    private const int PageBits = 8;
    private const int ZeroWidthJoiner = 0x200D;
    private const int Virama = 9; // its canonical combining class
    private const int MostClusters = 1 << 16;

    private readonly Normalizer? _normalizer;
    private readonly string _refused;
    private readonly bool _refusesSpaces;
    private readonly int[]?[] _pages = new int[0x110000 >> PageBits][]; // by character: of the result among the bytes, and its length; or what is above
    private readonly ConcurrentDictionary<UInt128, int> _clusters = new();
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
            var place = PlaceOf(c);
            var end = EndOfCluster(text, i + width);
            if (place == Composed || end > i + width) place = PlaceOfCluster(text[i..end], place);
            if (place < 0) return false;
            if (_refusesSpaces && c == ' ' && length > 0 && output[length - 1] == ' ') return false;
            var count = place & (1 << LengthBits) - 1;
            // A pre-tokenizer may ask whether the text begins where it began before.
            if (count == 0 && i == 0) return false;
            if (length + count > output.Length) Array.Resize(ref output, Math.Max(output.Length * 2, length + count));
            if (count == 1) output[length] = _bytes[place >> LengthBits];
            else Volatile.Read(ref _bytes).AsSpan(place >> LengthBits, count).CopyTo(output.AsSpan(length));
            length += count;
            i = end;
        }

        return true;
    }

    // Behind the marks of a character, and behind the next one that a mark links to it.
    private int EndOfCluster(ReadOnlySpan<byte> text, int end)
    {
        var isLinked = false;
        while (end < text.Length && text[end] >= 0x80)
        {
            var place = PlaceOf(CodePoints.Decode(text, end, out var width));
            if (place is Extending or Linking) isLinked |= place == Linking;
            else if (isLinked && place != Joining) isLinked = false;
            else break;
            end += width;
        }

        return end;
    }

    private int PlaceOf(int c)
    {
        var page = Volatile.Read(ref _pages[c >> PageBits]);
        var place = page is null ? Unknown : Volatile.Read(ref page[c & (1 << PageBits) - 1]);
        return place != Unknown ? place : Ask(c);
    }

    private int PlaceOfCluster(ReadOnlySpan<byte> cluster, int first)
    {
        if (first is Joining or Extending or Linking || cluster.Length > PieceKey.MaxLength) return Joining;
        var key = PieceKey.Of(cluster, PieceKey.Whole);
        if (_clusters.TryGetValue(new(key.High, key.Low), out var place)) return place;
        lock (_lock)
        {
            if (_clusters.TryGetValue(new(key.High, key.Low), out place)) return place;
            if (_clusters.Count >= MostClusters) return Joining;
            place = Joining;
            var text = Encoding.UTF8.GetString(cluster);
            if (TryNormalize(text, refusesSpaces: _refusesSpaces, out var result) && (result.Length == 0 || IsAlone(Rune.GetRuneAt(result, 0).Value))) place = Keep(result);
            _clusters[new(key.High, key.Low)] = place;
        }

        return place;
    }

    private int Ask(int c)
    {
        lock (_lock)
        {
            var page = _pages[c >> PageBits];
            if (page is null) Volatile.Write(ref _pages[c >> PageBits], page = new int[1 << PageBits]);
            ref var place = ref page[c & (1 << PageBits) - 1];
            if (place != Unknown) return place;
            var result = Joining;
            if (IsAlone(c))
            {
                if (TryNormalize(char.ConvertFromUtf32(c), refusesSpaces: _refusesSpaces && c != ' ', out var text)) result = text.EnumerateRunes().All(rune => IsAlone(rune.Value)) ? Keep(text) : Composed;
            }
            else if (Extends(c))
            {
                result = c == ZeroWidthJoiner || UnicodeNormalization.Current.Class(c) == Virama ? Linking : Extending;
            }

            Volatile.Write(ref place, result);
            return result;
        }
    }

    private bool TryNormalize(string text, bool refusesSpaces, out string result)
    {
        result = _normalizer?.Normalize(text) ?? text;
        return !text.AsSpan().ContainsAny(_refused) && !result.AsSpan().ContainsAny(_refused) && !(refusesSpaces && result.Contains(' '));
    }

    // Where a result lies, with its length.
    private int Keep(string result)
    {
        var utf8 = Encoding.UTF8.GetBytes(result);
        if (utf8.Length >= 1 << LengthBits) return Joining;
        if (_used + utf8.Length > _bytes.Length)
        {
            var larger = new byte[Math.Max(_bytes.Length * 2, _used + utf8.Length)];
            _bytes.CopyTo(larger, 0);
            Volatile.Write(ref _bytes, larger);
        }

        utf8.CopyTo(_bytes, _used);
        var place = _used << LengthBits | utf8.Length;
        _used += utf8.Length;
        return place;
    }

    private static bool Extends(int c) => Rune.IsValid(c) && (c == ZeroWidthJoiner || IsMark(c) || StringInfo.GetNextTextElementLength("a" + char.ConvertFromUtf32(c)) > 1);

    private static bool IsMark(int c) => CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;

    // Neither joins what stands before or after it nor is composed with it.
    private static bool IsAlone(int c)
    {
        if (c is >= 0x1100 and < 0x1200 or '\r' || !Rune.IsValid(c)) return false;
        if (c < 0x80) return true;
        var text = char.ConvertFromUtf32(c);
        return !IsMark(c) && CharUnicodeInfo.GetUnicodeCategory(c) is not (UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned)
            && StringInfo.GetNextTextElementLength("a" + text) == 1 && StringInfo.GetNextTextElementLength(text + "a") == text.Length && StringInfo.GetNextTextElementLength(text + text) == text.Length;
    }

    private static IEnumerable<Normalizer> All(Normalizer? normalizer) => normalizer switch
    {
        null => [],
        SequenceNormalizer sequence => sequence.Items.SelectMany(All),
        _ => [normalizer],
    };
}
