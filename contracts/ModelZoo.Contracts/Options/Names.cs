namespace ModelZoo.Contracts;

/// <summary>Help with mistyped names.</summary>
public static class Names
{
    /// <summary>The candidate with the fewest edits from <paramref name="name"/>, when that is at most a third of its length; else null.</summary>
    public static string? Nearest(string name, IEnumerable<string> candidates)
    {
        var best = candidates.Select(candidate => (candidate, distance: Edits(name, candidate))).OrderBy(pair => pair.distance).FirstOrDefault();
        return best.candidate is not null && best.distance <= Math.Max(1, Math.Max(name.Length, best.candidate.Length) / 3) ? best.candidate : null;
    }

    // Levenshtein's distance with two rows.
    private static int Edits(string a, string b)
    {
        var previous = Enumerable.Range(0, b.Length + 1).ToArray();
        var current = new int[b.Length + 1];
        for (var i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (var j = 1; j <= b.Length; j++)
                current[j] = Math.Min(Math.Min(current[j - 1], previous[j]) + 1, previous[j - 1] + (char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1));
            (previous, current) = (current, previous);
        }

        return previous[b.Length];
    }
}
