namespace ModelZoo.Networks.Metrics;

/// <summary>Counts of consecutive tokens.</summary>
internal static class NGrams
{
    private const char Separator = '\u0001';

    /// <summary>How often each n-gram occurs.</summary>
    public static Dictionary<string, int> Count(IReadOnlyList<string> tokens, int n)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i + n <= tokens.Count; i++)
        {
            var key = n == 1 ? tokens[i] : string.Join(Separator, tokens.Skip(i).Take(n));
            counts[key] = counts.GetValueOrDefault(key) + 1;
        }

        return counts;
    }

    /// <summary>How many n-grams both have, each counted as often as in the one that has fewer.</summary>
    public static int Overlap(Dictionary<string, int> a, Dictionary<string, int> b) => a.Sum(entry => Math.Min(entry.Value, b.GetValueOrDefault(entry.Key)));

    /// <summary>The larger count of each n-gram over several texts.</summary>
    public static Dictionary<string, int> Union(IEnumerable<Dictionary<string, int>> counts)
    {
        var result = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (key, count) in counts.SelectMany(c => c)) result[key] = Math.Max(result.GetValueOrDefault(key), count);
        return result;
    }
}
