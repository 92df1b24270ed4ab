namespace ModelZoo.Plugins.ImageTokenizers.Tests;

public class GridPairEncodingTests
{
    private const int Size = 6;

    [Theory, InlineData(1, 1), InlineData(4, 4), InlineData(7, 9), InlineData(1, 12), InlineData(12, 1)]
    public void Decode_OfAnEncodedGrid_GivesTheGrid(int rows, int columns)
    {
        var random = new Random(rows * 31 + columns);
        int[][] grids = [.. Enumerable.Range(0, 12).Select(_ => Grid(random, rows, columns))];
        var encoding = GridPairEncoding.Learn(grids, rows, columns, Size, 10);
        foreach (var grid in grids)
        {
            for (var count = 0; count <= encoding.Merges.Count; count++)
            {
                var (sequence, below) = encoding.Encode(grid, rows, columns, count);
                Assert.True(sequence.Length <= grid.Length);
                Assert.Equal(grid, encoding.Decode(sequence, rows, columns, [.. below.Select(way => way ? 1L : 0)]));
            }
        }
    }

    [Fact]
    public void Learn_FirstMerge_IsTheMostFrequentPairOfNeighbours()
    {
        var random = new Random(5);
        int[][] grids = [.. Enumerable.Range(0, 5).Select(_ => Grid(random, 6, 5))];
        var counts = new int[Size, Size];
        foreach (var grid in grids)
        {
            for (var y = 0; y < 6; y++)
            {
                for (var x = 0; x < 5; x++)
                {
                    foreach (var (dy, dx) in (ReadOnlySpan<(int, int)>)[(0, 1), (1, 0), (1, 1)])
                    {
                        if (y + dy < 6 && x + dx < 5) counts[grid[y * 5 + x], grid[(y + dy) * 5 + x + dx]]++;
                    }
                }
            }
        }

        var best = (First: 0, Second: 1);
        for (var a = 0; a < Size; a++)
        {
            for (var b = a + 1; b < Size; b++)
            {
                if (counts[a, b] > counts[best.First, best.Second]) best = (a, b);
            }
        }

        Assert.Equal(new GridMerge(best.First, best.Second, Size), GridPairEncoding.Learn(grids, 6, 5, Size, 1).Merges.Single());
    }

    private static int[] Grid(Random random, int rows, int columns) => [.. Enumerable.Range(0, rows * columns).Select(_ => random.Next(Size))];
}
