using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>All ways in which the tokens of an unfinished text may begin, found by trying every token that could bridge its end.</summary>
internal sealed class TiktokenCompletions(TiktokenEncoding encoding, BytePairEncoder encoder)
{
    private readonly int[] _sorted = Sort(encoder.Vocabulary);

    /// <summary>The completions of unstable bytes, in order.</summary>
    public IReadOnlyList<int[]> Find(byte[] unstable)
    {
        var found = new SortedSet<int[]>(Comparer<int[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)));
        foreach (var id in StartingWith(unstable)) found.Add([id]);
        for (var i = 1; i < unstable.Length; i++)
        {
            foreach (var id in StartingWith(unstable.AsSpan(i))) found.Add(Prefix([.. unstable.AsSpan(0, i), .. encoder.Vocabulary.BytesOf(id)], unstable.Length));
        }

        if (unstable.Length > 1 && Rune.DecodeLastFromUtf8(unstable, out var last, out var length) == System.Buffers.OperationStatus.Done && length < unstable.Length && CodePoints.IsWhiteSpace(last.Value))
        {
            // White space at the end may still be cut off from what stands before it.
            var output = new IdBuffer();
            encoder.Merge(unstable.AsSpan(0, unstable.Length - length), output);
            encoder.Merge(unstable.AsSpan(unstable.Length - length), output);
            found.Add(output.ToArray());
        }

        return [.. found];
    }

    private int[] Prefix(byte[] possibility, int length)
    {
        var output = new IdBuffer();
        if (System.Text.Unicode.Utf8.IsValid(possibility)) encoding.EncodeOrdinary(possibility, output);
        else encoder.Merge(possibility, output);
        var (count, bytes) = (0, 0);
        while (count < output.Count && bytes < length) bytes += encoder.Vocabulary.BytesOf(output.Span[count++]).Length;
        return output.Span[..count].ToArray();
    }

    private List<int> StartingWith(ReadOnlySpan<byte> prefix)
    {
        var (low, high) = (0, _sorted.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (encoder.Vocabulary.BytesOf(_sorted[middle]).SequenceCompareTo(prefix) < 0) low = middle + 1;
            else high = middle;
        }

        var result = new List<int>();
        for (; low < _sorted.Length && encoder.Vocabulary.BytesOf(_sorted[low]).StartsWith(prefix); low++) result.Add(_sorted[low]);
        return result;
    }

    private static int[] Sort(TokenTable table)
    {
        int[] ids = [.. table.Ids];
        Array.Sort(ids, (a, b) => table.BytesOf(a).SequenceCompareTo(table.BytesOf(b)));
        return ids;
    }
}
