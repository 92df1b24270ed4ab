using ModelZoo.Networks.Metrics;

namespace ModelZoo.Networks.Tests.Metrics;

public sealed class SsimTests
{
    private static readonly int[] Extents = [7, 6, 8];

    [Fact]
    public void Mean_VolumeUnderAnUnevenGaussian_IsTheFormulaAtEveryPlace()
    {
        var (a, b) = (Noise(1), Noise(2));
        int[] sizes = [3, 5, 1];
        var weights = new[] { Weights(3, 0.7), Weights(5, 1.3), Weights(1, 1) };

        var (sum, count) = (0.0, 0);
        for (var z = 0; z + sizes[0] <= Extents[0]; z++)
        {
            for (var y = 0; y + sizes[1] <= Extents[1]; y++)
            {
                for (var x = 0; x < Extents[2]; x++, count++) sum += At(z, y, x);
            }
        }

        var ssim = new Ssim(1, SeparableWindow.Gaussian(sizes, [0.7, 1.3, 1]));
        Assert.Equal(sum / count, ssim.Mean(a, b, Extents).Similarity, 1e-9);

        double At(int z, int y, int x)
        {
            var (mx, my, xx, yy, xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for (var k = 0; k < sizes[0] * sizes[1]; k++)
            {
                var (i, j) = (k / sizes[1], k % sizes[1]);
                var (weight, place) = (weights[0][i] * weights[1][j], ((z + i) * Extents[1] + y + j) * Extents[2] + x);
                var (p, q) = ((double)a[place], (double)b[place]);
                (mx, my, xx, yy, xy) = (mx + weight * p, my + weight * q, xx + weight * p * p, yy + weight * q * q, xy + weight * p * q);
            }

            return (2 * mx * my + 1e-4) * (2 * (xy - mx * my) + 9e-4) / ((mx * mx + my * my + 1e-4) * (xx - mx * mx + yy - my * my + 9e-4));
        }
    }

    // torchmetrics mirrors, compares everywhere, and leaves the margin out of the contrast: what is left of it are the whole neighbourhoods.
    [Fact]
    public void MirroredMean_Plane_HasTheContrastOfWholeNeighbourhoods()
    {
        var (a, b) = (Noise(3), Noise(4));
        var ssim = new Ssim(1, SeparableWindow.Uniform([5, 3]));
        Assert.Equal(ssim.Mean(a, b, 14, 24).Contrast, ssim.MirroredMean(a, b, 14, 24).Contrast, 1e-12);
        Assert.NotEqual(ssim.Mean(a, b, 14, 24).Similarity, ssim.MirroredMean(a, b, 14, 24).Similarity, 1e-6);
        Assert.Equal(1, ssim.MirroredMean(a, a, 14, 24).Similarity, 1e-12);
    }

    [Fact]
    public void Halve_Volume_IsTheMeanOfEightPoints()
    {
        var volume = Noise(5);
        var half = MsSsim.Halve(volume, Extents);
        Assert.Equal(3 * 3 * 4, half.Length);
        var expected = 0.0;
        foreach (var (z, y, x) in from z in new[] { 4, 5 } from y in new[] { 2, 3 } from x in new[] { 6, 7 } select (z, y, x)) expected += volume[(z * 6 + y) * 8 + x] / 8;
        Assert.Equal(expected, half[(2 * 3 + 1) * 4 + 3], 1e-6);
    }

    private static double[] Weights(int size, double sigma)
    {
        var values = Enumerable.Range(0, size).Select(i => Math.Exp(-(i - size / 2) * (i - size / 2) / (2 * sigma * sigma))).ToArray();
        return Array.ConvertAll(values, v => v / values.Sum());
    }

    private static float[] Noise(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, 7 * 6 * 8).Select(_ => random.NextSingle())];
    }
}
