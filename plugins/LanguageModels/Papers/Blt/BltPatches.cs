using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Lengths of patches as transformers computes them for a batch at once: rows of one length, with zeros at the right.</summary>
internal static class BltPatches
{
    /// <summary>
    /// Lengths where patches begin at the first two ids and behind each id whose entropy is above the threshold. A row with fewer patches than the longest has one more in its last patch and -1 at the end, as the reference computes
    /// it; both lie behind the sequence. entropies (B, N) -> (B, patches).
    /// </summary>
    public static Tensor<long> FromEntropies(Tensor<float> entropies, double threshold)
    {
        var (rows, length) = ((int)entropies.Shape[0], (int)entropies.Shape[1]);
        var starts = Enumerable.Range(0, rows).Select(row => Enumerable.Range(1, length - 1).Where(at => entropies[row, at] > (float)threshold).Select(at => at + 1L).Prepend(1).Prepend(0).ToList()).ToList();
        var most = starts.Max(row => row.Count);
        foreach (var row in starts) row.AddRange(Enumerable.Repeat(length + 1L, most - row.Count));
        var lengths = Tensor.Zeros<long>(rows, most);
        for (var row = 0; row < rows; row++)
        {
            for (var patch = 0; patch < most; patch++) lengths[row, patch] = (patch + 1 < most ? starts[row][patch + 1] : length) - starts[row][patch];
        }

        return lengths;
    }

    /// <summary>A patch for each id, and <paramref name="more"/> of them.</summary>
    public static Tensor<long> Ones(int rows, int length, int more)
    {
        var lengths = Tensor.Zeros<long>(rows, length + more);
        lengths.Span.Fill(1);
        return lengths;
    }

    /// <summary>Patches longer than the longest allowed are cut; null allows all.</summary>
    public static Tensor<long> Cut(Tensor<long> lengths, int? longest)
    {
        if (longest is not { } most) return lengths;
        var rows = new List<List<long>>();
        for (var row = 0; row < lengths.Shape[0]; row++)
        {
            var parts = new List<long>();
            foreach (var length in lengths.Slice(row).Span)
            {
                for (var left = length; left > 0; left -= most) parts.Add(Math.Min(left, most));
            }

            rows.Add(parts);
        }

        var cut = Tensor.Zeros<long>(rows.Count, rows.Max(row => row.Count));
        for (var row = 0; row < rows.Count; row++) rows[row].ToArray().CopyTo(cut.Slice(row).Span);
        return cut;
    }

    /// <summary>The patch of each place: how many patches but the first begin at it or before. lengths (B, P) from patch <paramref name="first"/> on -> (B, N).</summary>
    public static Tensor<long> Ids(Tensor<long> lengths, int first, int length)
    {
        var (rows, count) = ((int)lengths.Shape[0], (int)lengths.Shape[1]);
        var ids = Tensor.Zeros<long>(rows, length);
        for (var row = 0; row < rows; row++)
        {
            var start = 0L;
            for (var patch = first; patch < count - 1; patch++)
            {
                start += lengths[row, patch];
                for (var at = (int)Math.Max(start, 0); at < length; at++) ids[row, at]++;
            }
        }

        return ids;
    }
}
