namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Texts at which a result ends; empty ones never do.</summary>
internal static class StopTexts
{
    /// <summary>Where the first of them begins; null where none is.</summary>
    public static int? Find(IReadOnlyList<string> stops, string text)
    {
        var first = stops.Where(stop => stop.Length > 0).Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(place => place >= 0).DefaultIfEmpty(-1).Min();
        return first < 0 ? null : first;
    }

    /// <summary>Characters at the end of a text that may be the beginning of one.</summary>
    public static int Beginning(IReadOnlyList<string> stops, string text)
    {
        var longest = 0;
        foreach (var stop in stops)
        {
            for (var length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.EndsWith(stop[..length], StringComparison.Ordinal)) longest = length;
            }
        }

        return longest;
    }
}
