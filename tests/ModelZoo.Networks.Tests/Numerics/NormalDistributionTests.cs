using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Tests.Numerics;

public sealed class NormalDistributionTests
{
    // Tables of the normal distribution (Python's statistics.NormalDist().inv_cdf).
    [Theory]
    [InlineData(0.5, 0)]
    [InlineData(0.975, 1.9599639845400536)]
    [InlineData(0.001, -3.090232306167813)]
    [InlineData(1e-10, -6.361340902404056)]
    [InlineData(0.3, -0.5244005127080407)]
    public void Inverse_KnownShares_GivesTheQuantile(double p, double expected) => Assert.Equal(expected, NormalDistribution.Inverse(p), 1e-13);

    [Theory]
    [InlineData(1e-300)]
    [InlineData(0.3)]
    [InlineData(1)]
    [InlineData(1.4142135623730952)]
    [InlineData(123456.789)]
    public void Log_AnyMagnitude_IsTheLogarithm(double x) => Assert.Equal(Math.Log(x), NormalDistribution.Log(x), 1e-13);
}
