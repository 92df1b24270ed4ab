namespace ModelZoo.Networks.Parity;

/// <summary>Lists whose order among equals is free.</summary>
internal static class Ranking
{
    /// <summary>
    /// Our items in the order of the expected ones: within each run of expected items of one rank, an item of ours that matches comes to the place of its match. What matches nothing stays.
    /// </summary>
    public static IReadOnlyList<T> Align<T>(IReadOnlyList<T> actual, IReadOnlyList<T> expected, Func<T, T, bool> sameRank, Func<T, T, bool> matches)
    {
        var result = actual.ToArray();
        for (int start = 0, end; start < expected.Count; start = end)
        {
            end = start + 1;
            while (end < expected.Count && sameRank(expected[end - 1], expected[end])) end++;
            for (var i = start; i < end; i++)
            {
                var found = Array.FindIndex(result, i, end - i, item => matches(item, expected[i]));
                if (found > i) (result[i], result[found]) = (result[found], result[i]);
            }
        }

        return result;
    }
}
