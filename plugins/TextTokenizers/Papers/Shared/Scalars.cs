using System.Text;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Text by Unicode code points, as the papers' own code counts it.</summary>
internal static class Scalars
{
    /// <summary>Each code point as a string of its own; a lone surrogate stands for itself.</summary>
    public static string[] Split(string text)
    {
        var parts = new List<string>(text.Length);
        for (var i = 0; i < text.Length;)
        {
            var width = char.IsSurrogatePair(text, i) ? 2 : 1;
            parts.Add(text.Substring(i, width));
            i += width;
        }

        return [.. parts];
    }

    /// <summary>Number of code points.</summary>
    public static int Count(ReadOnlySpan<char> text)
    {
        var count = text.Length;
        for (var i = 1; i < text.Length; i++)
        {
            if (char.IsLowSurrogate(text[i]) && char.IsHighSurrogate(text[i - 1])) count--;
        }

        return count;
    }

    /// <summary>The parts joined.</summary>
    public static string Join(ReadOnlySpan<string> parts)
    {
        var text = new StringBuilder();
        foreach (var part in parts) text.Append(part);
        return text.ToString();
    }

    /// <summary>Orders strings by code point, not by UTF-16 unit.</summary>
    public static IComparer<string> ByCodePoint { get; } = Comparer<string>.Create(Compare);

    /// <summary>Less than, equal to or greater than zero by code points.</summary>
    public static int Compare(string? a, string? b)
    {
        if (a is null || b is null) return string.CompareOrdinal(a, b);
        var length = Math.Min(a.Length, b.Length);
        for (var i = 0; i < length; i++)
        {
            if (a[i] != b[i]) return Rank(a[i]).CompareTo(Rank(b[i]));
        }

        return a.Length.CompareTo(b.Length);
    }

    // Surrogates stand for code points above U+FFFF, so they sort after the rest of the basic plane.
    private static int Rank(char unit) => char.IsSurrogate(unit) ? unit + 0x10000 : unit;
}
