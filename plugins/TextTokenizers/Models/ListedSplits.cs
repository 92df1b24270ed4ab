namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// How the merges of a list cut the tokens that they make: what it takes to merge by ids, any two neighbours that spell a token, the lowest id first, and still to do what the list says.
/// Merging within a stretch goes the same way whatever stands around it, until something crosses its ends; so neighbours that spell a token are always the same two. If the list names these two,
/// no other pair of the list can come before theirs: it would make a lower id, and stand higher in a list whose merges are in the order of the ids they make.
/// </summary>
internal static class ListedSplits
{
    private const int LongestLeft = 62;

    /// <summary>For each id a bit for each length of the left one of two tokens that merge to it, in bytes, up to 62; null when the list is in another order, or merges what is not spelled.</summary>
    public static ulong[]? TryFind(TokenTable vocabulary, MergeTable merges)
    {
        var splits = new ulong[vocabulary.IdLimit];
        var last = -1;
        foreach (var (left, right, newId) in merges.Merges)
        {
            var first = vocabulary.BytesOf(left);
            var second = vocabulary.BytesOf(right);
            if (first.IsEmpty || second.IsEmpty) continue;  // such tokens never come about
            var token = vocabulary.BytesOf(newId);
            if (newId < last || token.Length != first.Length + second.Length || !token.StartsWith(first) || !token.EndsWith(second)) return null;
            if (first.Length <= LongestLeft) splits[newId] |= 1UL << first.Length;
            last = newId;
        }

        return splits;
    }
}
