using System.Text;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Case as Python's <c>str</c> has it.</summary>
internal static class PythonCase
{
    /// <summary>Lower case: dotted capital I becomes i and a dot above; a sigma that ends a word takes its final form.</summary>
    public static string Lower(string text)
    {
        var lower = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case 'İ': lower.Append("i̇"); break;
                case 'Σ': lower.Append(IsFinal(text, i) ? 'ς' : 'σ'); break;
                case var unit when char.IsHighSurrogate(unit) && i + 1 < text.Length && Rune.TryCreate(unit, text[i + 1], out var rune):
                    lower.Append(Rune.ToLowerInvariant(rune).ToString());
                    i++;
                    break;
                case var unit: lower.Append(char.ToLowerInvariant(unit)); break;
            }
        }

        return lower.ToString();
    }

    /// <summary>The first letter in upper (title) case, the others in lower case.</summary>
    public static string Capitalize(string text)
    {
        if (text.Length == 0) return text;
        var first = char.IsSurrogatePair(text, 0) ? text[..2] : text[..1];
        var upper = first switch { "ß" => "Ss", "ŉ" => "ʼN", "ı" => "I", _ => first.ToUpperInvariant() };
        return upper + Lower(text[first.Length..]);
    }

    // After a letter (marks between do not matter), and not before one.
    private static bool IsFinal(string text, int place) => NextLetter(text, place, -1) && !NextLetter(text, place, 1);

    private static bool NextLetter(string text, int place, int step)
    {
        for (var i = place + step; i >= 0 && i < text.Length; i += step)
        {
            if (char.GetUnicodeCategory(text[i]) is System.Globalization.UnicodeCategory.NonSpacingMark or System.Globalization.UnicodeCategory.Format || text[i] is '\'' or '.' or ':' or '’' or '·') continue;
            return char.IsLetter(text[i]);
        }

        return false;
    }
}
