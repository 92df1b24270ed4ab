using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Two ids and the id that stands for them.</summary>
internal readonly record struct GridMerge(int First, int Second, int Merged);

/// <summary>
/// Byte-pair encoding over grids. The first merge joins a cell with its right neighbour or, failing that, with the one below, and leaves a sequence in reading order; all further merges join neighbours of that sequence.
/// </summary>
/// <param name="size">Ids of the grid.</param>
/// <param name="merges">In the order in which they apply.</param>
internal sealed class GridPairEncoding(int size, IReadOnlyList<GridMerge> merges)
{
    /// <summary>The merges.</summary>
    public IReadOnlyList<GridMerge> Merges => merges;

    /// <summary>Learns merges of the most frequent pairs: of neighbours to the right, below and diagonally below at first, then of neighbours in the sequences. Pairs count only as (smaller, larger); of equals the first in order wins.</summary>
    public static GridPairEncoding Learn(IReadOnlyList<int[]> grids, int rows, int columns, int size, int count)
    {
        List<GridMerge> merges = [];
        var images = grids.ToArray();
        while (merges.Count < count)
        {
            var pairs = new Dictionary<(int, int), int>();
            foreach (var image in images)
            {
                foreach (var (a, b) in merges.Count == 0 ? Neighbours(image, rows, columns) : image.Zip(image.Skip(1)))
                {
                    if (a < b) pairs[(a, b)] = pairs.GetValueOrDefault((a, b)) + 1;
                }
            }

            if (pairs.Count == 0) break;
            var (first, second) = pairs.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).First().Key;
            var merge = new GridMerge(first, second, size + merges.Count);
            images = [.. images.Select(image => merges.Count == 0 ? MergeGrid(image, rows, columns, merge).Sequence : MergeSequence(image, merge))];
            merges.Add(merge);
        }

        return new(size, merges);
    }

    /// <summary>The merged sequence, and for each of the first merges in it, in order, whether it went down.</summary>
    public (int[] Sequence, bool[] Below) Encode(ReadOnlySpan<int> grid, int rows, int columns, int count)
    {
        if (count == 0 || merges.Count == 0) return (grid.ToArray(), []);
        var (sequence, below) = MergeGrid(grid.ToArray(), rows, columns, merges[0]);
        foreach (var merge in merges.Take(count).Skip(1)) sequence = MergeSequence(sequence, merge);
        return (sequence, below);
    }

    /// <summary>The grid of a sequence.</summary>
    /// <exception cref="MediaException">The sequence does not fill the grid.</exception>
    public int[] Decode(ReadOnlySpan<int> sequence, int rows, int columns, ReadOnlySpan<long> below)
    {
        var grid = new int[rows * columns];
        Array.Fill(grid, -1);
        var (cell, way) = (0, 0);
        foreach (var id in sequence)
        {
            foreach (var part in Expanded(id))
            {
                while (cell < grid.Length && grid[cell] >= 0) cell++;
                if (cell == grid.Length || (part >= size && way == below.Length)) throw Unfit();
                if (part < size)
                {
                    grid[cell] = part;
                    continue;
                }

                var other = cell + (below[way++] != 0 ? columns : 1);
                if (other >= grid.Length || grid[other] >= 0) throw Unfit();
                (grid[cell], grid[other]) = (merges[0].First, merges[0].Second);
            }
        }

        return grid.Contains(-1) ? throw Unfit() : grid;
    }

    // Down to ids of the grid and the first merge.
    private IEnumerable<int> Expanded(int id)
    {
        var open = new Stack<int>([id]);
        while (open.TryPop(out var part))
        {
            if (part <= size)
            {
                yield return part;
                continue;
            }

            var merge = merges[part - size];
            open.Push(merge.Second);
            open.Push(merge.First);
        }
    }

    private static IEnumerable<(int, int)> Neighbours(int[] image, int rows, int columns)
    {
        for (var i = 0; i < image.Length; i++)
        {
            var (right, below) = (i % columns < columns - 1, i / columns < rows - 1);
            if (right) yield return (image[i], image[i + 1]);
            if (below) yield return (image[i], image[i + columns]);
            if (right && below) yield return (image[i], image[i + columns + 1]);
        }
    }

    private static (int[] Sequence, bool[] Below) MergeGrid(int[] grid, int rows, int columns, GridMerge merge)
    {
        var (cells, gone, ways) = (grid.ToArray(), new bool[grid.Length], new List<bool>());
        for (var i = 0; i < cells.Length; i++)
        {
            if (cells[i] != merge.First || gone[i]) continue;
            var right = i % columns < columns - 1 && cells[i + 1] == merge.Second && !gone[i + 1];
            if (!right && !(i / columns < rows - 1 && cells[i + columns] == merge.Second && !gone[i + columns])) continue;
            cells[i] = merge.Merged;
            gone[right ? i + 1 : i + columns] = true;
            ways.Add(!right);
        }

        return ([.. cells.Where((_, i) => !gone[i])], [.. ways]);
    }

    private static int[] MergeSequence(int[] sequence, GridMerge merge)
    {
        var merged = new List<int>(sequence.Length);
        for (var i = 0; i < sequence.Length; i++)
        {
            var joins = i < sequence.Length - 1 && sequence[i] == merge.First && sequence[i + 1] == merge.Second;
            merged.Add(joins ? merge.Merged : sequence[i]);
            if (joins) i++;
        }

        return [.. merged];
    }

    private static MediaException Unfit() => new(ErrorCodes.TokensInvalid, "The tokens do not fill their grid.");
}
