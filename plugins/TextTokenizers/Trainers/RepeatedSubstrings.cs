namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>Every substring that occurs more than once and cannot be made longer to the right without losing an occurrence: the inner nodes of the suffix tree.</summary>
internal static class RepeatedSubstrings
{
    /// <summary>Start, length and number of occurrences of each.</summary>
    public static IEnumerable<(int Start, int Length, int Count)> Find(int[] text)
    {
        var suffixes = Suffixes(text);
        var shared = SharedPrefixes(text, suffixes);
        var open = new Stack<(int Length, int From)>();
        for (var i = 1; i <= text.Length; i++)
        {
            var length = i < text.Length ? shared[i] : 0;
            var from = i - 1;
            while (open.TryPeek(out var top) && top.Length > length)
            {
                open.Pop();
                from = top.From;
                yield return (suffixes[from], top.Length, i - from);
            }

            if (length > 0 && (!open.TryPeek(out var under) || under.Length < length)) open.Push((length, from));
        }
    }

    // Prefix doubling: suffixes sorted by their first 1, 2, 4... characters.
    private static int[] Suffixes(int[] text)
    {
        var order = Enumerable.Range(0, text.Length).ToArray();
        int[] rank = [.. text];
        var next = new int[text.Length];
        for (var width = 1; ; width *= 2)
        {
            var (ranks, reach) = (rank, width);
            long Key(int i) => (long)ranks[i] << 32 | (uint)(i + reach < ranks.Length ? ranks[i + reach] + 1 : 0);
            var keys = Array.ConvertAll(order, Key);
            Array.Sort(keys, order);
            var distinct = 0;
            for (var i = 0; i < order.Length; i++)
            {
                if (i > 0 && keys[i] != keys[i - 1]) distinct++;
                next[order[i]] = distinct;
            }

            (rank, next) = (next, rank);
            if (distinct == text.Length - 1 || text.Length == 0) return order;
        }
    }

    // Kasai et al.: characters that neighbours in the order have in common.
    private static int[] SharedPrefixes(int[] text, int[] suffixes)
    {
        var place = new int[text.Length];
        for (var i = 0; i < suffixes.Length; i++) place[suffixes[i]] = i;
        var shared = new int[text.Length];
        for (int i = 0, length = 0; i < text.Length; i++)
        {
            if (place[i] == 0)
            {
                length = 0;
                continue;
            }

            var other = suffixes[place[i] - 1];
            while (i + length < text.Length && other + length < text.Length && text[i + length] == text[other + length]) length++;
            shared[place[i]] = length;
            if (length > 0) length--;
        }

        return shared;
    }
}
