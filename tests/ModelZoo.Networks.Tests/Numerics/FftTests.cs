using System.Numerics;
using ModelZoo.Networks.Numerics;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Networks.Tests.Numerics;

public sealed class FftTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(15)]
    [InlineData(400)]
    [InlineData(257)]
    public void Forward_AnyLength_IsTheDefinition(int length)
    {
        var noise = new float[2 * length];
        new Philox(1).FillNormal(noise);
        double[] re = [.. noise[..length].Select(x => (double)x)], im = [.. noise[length..].Select(x => (double)x)];
        var expected = Enumerable.Range(0, length).Select(k => Enumerable.Range(0, length)
            .Aggregate(Complex.Zero, (sum, n) => sum + new Complex(re[n], im[n]) * Complex.FromPolarCoordinates(1, -2 * Math.PI * k * n / length))).ToArray();
        var fft = new Fft(length);
        double[] x = [.. re], y = [.. im];
        fft.Forward(x, y);
        for (var k = 0; k < length; k++)
        {
            Assert.Equal(expected[k].Real, x[k], 1e-9);
            Assert.Equal(expected[k].Imaginary, y[k], 1e-9);
        }

        fft.Inverse(x, y);
        for (var k = 0; k < length; k++) Assert.Equal(re[k], x[k], 1e-11);
    }

    [Fact]
    public void SymmetricEigen_Reassembled_IsTheMatrix()
    {
        var noise = new float[49];
        new Philox(2).FillNormal(noise);
        var matrix = new double[7, 7];
        for (var i = 0; i < 49; i++) matrix[i / 7, i % 7] = noise[i] + noise[i % 7 * 7 + i / 7];
        var (values, vectors) = SymmetricEigen.Decompose(matrix);
        for (var i = 0; i < 7; i++)
        {
            for (var j = 0; j < 7; j++)
            {
                Assert.Equal(matrix[i, j], Enumerable.Range(0, 7).Sum(k => vectors[i, k] * values[k] * vectors[j, k]), 1e-10);
                Assert.Equal(i == j ? 1 : 0, Enumerable.Range(0, 7).Sum(k => vectors[k, i] * vectors[k, j]), 1e-10);
            }
        }
    }

    [Fact]
    public void Solve_SystemThatNeedsPivoting_GivesTheSolution()
    {
        var x = LinearAlgebra.Solve(new double[,] { { 0, 2, 1 }, { 1, 1, 1 }, { 2, 0, 3 } }, [7, 6, 11]);
        Assert.Equal([1, 2, 3], x.Select(value => Math.Round(value, 12)));
    }
}
