using System.Globalization;
using System.Text;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Word boundaries of Unicode's annex 29, the default rules, of Unicode 16.</summary>
internal static class WordBounds
{
    private enum Kind : byte
    {
        Any,
        ALetter,
        CR,
        DoubleQuote,
        Extend,
        ExtendNumLet,
        Format,
        HebrewLetter,
        Katakana,
        LF,
        MidLetter,
        MidNum,
        MidNumLet,
        Newline,
        Numeric,
        RegionalIndicator,
        SingleQuote,
        WSegSpace,
        ZWJ,
    }

    private static readonly (Table<Kind> Kinds, Table<bool> Pictures) Tables = Read();

    /// <summary>The pieces between boundaries; together they are the text.</summary>
    public static List<string> Split(string text)
    {
        Rune[] runes = [.. text.EnumerateRunes()];
        var kinds = Array.ConvertAll(runes, rune => Tables.Kinds[rune.Value]);
        var pieces = new List<string>();
        var (piece, start) = (new StringBuilder(), 0);
        for (var i = 0; i < runes.Length; i++)
        {
            if (i > 0 && IsBoundary(runes, kinds, start, i))
            {
                pieces.Add(piece.ToString());
                piece.Clear();
                start = i;
            }

            piece.Append(runes[i]);
        }

        if (piece.Length > 0) pieces.Add(piece.ToString());
        return pieces;
    }

    // The rules WB3 to WB999 in their order, for the place before character i of a piece that began at start.
    private static bool IsBoundary(Rune[] runes, Kind[] kinds, int start, int i)
    {
        var (left, right) = (kinds[i - 1], kinds[i]);
        if (left == Kind.CR && right == Kind.LF) return false;
        if (IsLineEnd(left) || IsLineEnd(right)) return true;
        if (left == Kind.ZWJ && Tables.Pictures[runes[i].Value]) return false;
        if (left == Kind.WSegSpace && right == Kind.WSegSpace) return false;
        if (IsSkipped(right)) return false;

        // WB4: from here on what only extends a character is not seen.
        var before = Before(kinds, i);
        if (before < 0) return true;
        left = kinds[before];
        var second = Before(kinds, before) is >= 0 and var place ? kinds[place] : Kind.Any;
        var next = After(kinds, i) is var follower && follower < kinds.Length ? kinds[follower] : Kind.Any;
        if (IsLetter(left) && IsLetter(right)) return false;
        if (IsLetter(left) && IsMidLetter(right) && IsLetter(next)) return false;
        if (IsLetter(second) && IsMidLetter(left) && IsLetter(right)) return false;
        if (left == Kind.HebrewLetter && (right == Kind.SingleQuote || (right == Kind.DoubleQuote && next == Kind.HebrewLetter))) return false;
        if (second == Kind.HebrewLetter && left == Kind.DoubleQuote && right == Kind.HebrewLetter) return false;
        if ((left == Kind.Numeric || IsLetter(left)) && right == Kind.Numeric) return false;
        if (left == Kind.Numeric && IsLetter(right)) return false;
        if (second == Kind.Numeric && IsMidNumber(left) && right == Kind.Numeric) return false;
        if (left == Kind.Numeric && IsMidNumber(right) && next == Kind.Numeric) return false;
        if (left == Kind.Katakana && right == Kind.Katakana) return false;
        if (right == Kind.ExtendNumLet && (IsJoined(left) || left == Kind.ExtendNumLet)) return false;
        if (left == Kind.ExtendNumLet && IsJoined(right)) return false;
        return !(left == Kind.RegionalIndicator && right == Kind.RegionalIndicator && FlagHalves(kinds, start, before) % 2 == 1);
    }

    private static bool IsLineEnd(Kind kind) => kind is Kind.CR or Kind.LF or Kind.Newline;

    private static bool IsSkipped(Kind kind) => kind is Kind.Extend or Kind.Format or Kind.ZWJ;

    private static bool IsLetter(Kind kind) => kind is Kind.ALetter or Kind.HebrewLetter;

    private static bool IsMidLetter(Kind kind) => kind is Kind.MidLetter or Kind.MidNumLet or Kind.SingleQuote;

    private static bool IsMidNumber(Kind kind) => kind is Kind.MidNum or Kind.MidNumLet or Kind.SingleQuote;

    private static bool IsJoined(Kind kind) => kind is Kind.ALetter or Kind.HebrewLetter or Kind.Numeric or Kind.Katakana;

    private static int Before(Kind[] kinds, int i)
    {
        for (i--; i >= 0 && IsSkipped(kinds[i]);) i--;
        return i;
    }

    private static int After(Kind[] kinds, int i)
    {
        for (i++; i < kinds.Length && IsSkipped(kinds[i]);) i++;
        return i;
    }

    // Flags are pairs, so that those of pieces before count for nothing.
    private static int FlagHalves(Kind[] kinds, int start, int i)
    {
        var count = 0;
        for (; i >= start && kinds[i] == Kind.RegionalIndicator; i = Before(kinds, i)) count++;
        return count;
    }

    private static (Table<Kind> Kinds, Table<bool> Pictures) Read()
    {
        using var stream = typeof(WordBounds).Assembly.GetManifestResourceStream("word-breaks") ?? throw new InvalidOperationException("The assembly lacks its table 'word-breaks'.");
        using var reader = new StreamReader(stream);
        var (kinds, pictures) = (new List<(int, int, Kind)>(), new List<(int, int, bool)>());
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#')) continue;
            var parts = line.Split(' ');
            foreach (var range in parts.Skip(1))
            {
                var ends = Array.ConvertAll(range.Split('-'), end => int.Parse(end, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
                if (parts[0] == "ExtendedPictographic") pictures.Add((ends[0], ends[^1], true));
                else kinds.Add((ends[0], ends[^1], Enum.Parse<Kind>(parts[0])));
            }
        }

        return (new(kinds), new(pictures));
    }

    // Values of ranges of characters; the default of all others.
    private sealed class Table<T>(IEnumerable<(int First, int Last, T Value)> ranges) where T : struct
    {
        private readonly (int First, int Last, T Value)[] _ranges = [.. ranges.OrderBy(range => range.First)];

        public T this[int character]
        {
            get
            {
                var (low, high) = (0, _ranges.Length - 1);
                while (low <= high)
                {
                    var middle = (low + high) / 2;
                    if (_ranges[middle].Last < character) low = middle + 1;
                    else if (_ranges[middle].First > character) high = middle - 1;
                    else return _ranges[middle].Value;
                }

                return default;
            }
        }
    }
}
