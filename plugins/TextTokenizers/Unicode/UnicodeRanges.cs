using System.Globalization;

namespace ModelZoo.Plugins.TextTokenizers.Unicode;

/// <summary>An immutable set of code points, as sorted ranges.</summary>
internal sealed class UnicodeRanges
{
    private readonly int[] _starts;
    private readonly int[] _ends;

    public UnicodeRanges(IEnumerable<(int Start, int End)> ranges)
    {
        var sorted = ranges.OrderBy(range => range.Start).ToArray();
        _starts = [.. sorted.Select(range => range.Start)];
        _ends = [.. sorted.Select(range => range.End)];
    }

    public bool Contains(int codePoint)
    {
        var index = Array.BinarySearch(_starts, codePoint);
        if (index >= 0) return true;
        index = ~index - 1;
        return index >= 0 && codePoint <= _ends[index];
    }

    /// <summary>Reads <c>41-5A 61 ...</c>.</summary>
    public static IEnumerable<(int Start, int End)> Parse(IEnumerable<string> words)
    {
        foreach (var word in words)
        {
            var dash = word.IndexOf('-');
            yield return dash < 0 ? (Hex(word), Hex(word)) : (Hex(word.AsSpan(0, dash)), Hex(word.AsSpan(dash + 1)));
        }
    }

    public static int Hex(ReadOnlySpan<char> text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
