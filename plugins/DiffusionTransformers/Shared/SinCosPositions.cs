using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>Two-dimensional sine-cosine positions, as MAE's code computes them and DiT's descendants keep them.</summary>
internal static class SinCosPositions
{
    /// <summary>
    /// Positions of a grid (1, rows columns, width): the first half of the channels encodes the column, the second the row, each sines then cosines. A grid of another size than <paramref name="baseSize"/> covers the same range,
    /// divided by <paramref name="scale"/>.
    /// </summary>
    public static Value Grid(Graph graph, int rows, int columns, int width, int? baseSize = null, double scale = 1)
    {
        var values = new float[rows * columns * width];
        var (half, quarter) = (width / 2, width / 4);
        for (var r = 0; r < rows; r++)
        {
            for (var c = 0; c < columns; c++)
            {
                var token = values.AsSpan((r * columns + c) * width, width);
                Encode(Place(c, columns, baseSize, scale), token[..half], quarter);
                Encode(Place(r, rows, baseSize, scale), token[half..], quarter);
            }
        }

        return graph.Constant<float>(values, 1, rows * columns, width);
    }

    // In float, as the reference divides.
    private static float Place(int index, int count, int? baseSize, double scale) => baseSize is { } size ? index / (float)((double)count / size) / (float)scale : index;

    private static void Encode(float position, Span<float> channels, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var angle = position / Math.Pow(10000, i / (double)count);
            (channels[i], channels[count + i]) = ((float)Math.Sin(angle), (float)Math.Cos(angle));
        }
    }
}
