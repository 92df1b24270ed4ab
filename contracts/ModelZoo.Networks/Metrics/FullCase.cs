namespace ModelZoo.Networks.Metrics;

/// <summary>Case as Unicode's full mappings have it, and Python with them, where .NET maps character by character.</summary>
internal static class FullCase
{
    /// <summary>Lower case: a capital I with a dot keeps the dot as a mark, a sigma that ends a word has its final form.</summary>
    public static string Lower(string text)
    {
        var lower = text.ToLowerInvariant();
        return !text.AsSpan().ContainsAny('İ', 'Σ') ? lower
            : string.Concat(text.Select((letter, i) => letter switch { 'İ' => "i̇", 'Σ' when EndsWord(text, i) => "ς", _ => lower[i].ToString() }));
    }

    private static bool EndsWord(string text, int at) =>
        text[..at].Reverse().SkipWhile(IsIgnored).FirstOrDefault() is var before && char.IsLetter(before) && !char.IsLetter(text[(at + 1)..].SkipWhile(IsIgnored).FirstOrDefault());

    // Marks and the punctuation that may stand within words.
    private static bool IsIgnored(char c) =>
        char.GetUnicodeCategory(c) is System.Globalization.UnicodeCategory.NonSpacingMark or System.Globalization.UnicodeCategory.EnclosingMark or System.Globalization.UnicodeCategory.Format
            or System.Globalization.UnicodeCategory.ModifierLetter or System.Globalization.UnicodeCategory.ModifierSymbol || c is '\'' or '.' or ':' or '·' or '’' or '‘';
}
