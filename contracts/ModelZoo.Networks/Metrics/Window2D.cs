namespace ModelZoo.Networks.Metrics;

/// <summary>Separable weighted means over square neighbourhoods.</summary>
/// <param name="weights">Weights of one dimension; they sum to 1.</param>
internal sealed class Window2D(double[] weights)
{
    /// <summary>Extent of a neighbourhood.</summary>
    public int Size => weights.Length;

    public static Window2D Gaussian(int size, double sigma)
    {
        var values = new double[size];
        for (var i = 0; i < size; i++) values[i] = Math.Exp(-Math.Pow(i - (size - 1) / 2.0, 2) / (2 * sigma * sigma));
        var sum = values.Sum();
        return new(Array.ConvertAll(values, v => v / sum));
    }

    public static Window2D Uniform(int size) => new([.. Enumerable.Repeat(1.0 / size, size)]);

    /// <summary>Means where the whole neighbourhood lies within the plane. An extent smaller than the window is left unfiltered.</summary>
    public (double[] Values, int Height, int Width) Valid(double[] plane, int height, int width)
    {
        var (across, newWidth) = width < Size ? (plane, width) : (new double[height * (width - Size + 1)], width - Size + 1);
        if (newWidth != width)
        {
            for (var y = 0; y < height; y++)
            {
                for (var x = 0; x < newWidth; x++)
                {
                    var sum = 0.0;
                    for (var k = 0; k < Size; k++) sum += weights[k] * plane[y * width + x + k];
                    across[y * newWidth + x] = sum;
                }
            }
        }

        if (height < Size) return (across, height, newWidth);
        var newHeight = height - Size + 1;
        var result = new double[newHeight * newWidth];
        for (var y = 0; y < newHeight; y++)
        {
            for (var k = 0; k < Size; k++)
            {
                for (var x = 0; x < newWidth; x++) result[y * newWidth + x] += weights[k] * across[(y + k) * newWidth + x];
            }
        }

        return (result, newHeight, newWidth);
    }

    /// <summary>Means everywhere, the plane continued by mirror images.</summary>
    /// <param name="repeatBorder">The border belongs to the image and to its mirror image both.</param>
    public double[] Mirrored(double[] plane, int height, int width, bool repeatBorder)
    {
        var (before, after) = (Size / 2, Size - 1 - Size / 2);
        var (tall, wide) = (height + before + after, width + before + after);
        var padded = new double[tall * wide];
        for (var y = 0; y < tall; y++)
        {
            for (var x = 0; x < wide; x++) padded[y * wide + x] = plane[Mirror(y - before, height, repeatBorder) * width + Mirror(x - before, width, repeatBorder)];
        }

        return Valid(padded, tall, wide).Values;
    }

    private static int Mirror(int i, int length, bool repeatBorder)
    {
        var period = repeatBorder ? 2 * length : Math.Max(1, 2 * length - 2);
        var folded = ((i % period) + period) % period;
        return folded < length ? folded : period - folded - (repeatBorder ? 1 : 0);
    }
}
