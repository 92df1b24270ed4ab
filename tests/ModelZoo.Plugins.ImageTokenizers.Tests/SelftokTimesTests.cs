namespace ModelZoo.Plugins.ImageTokenizers.Tests;

public class SelftokTimesTests
{
    [Fact]
    public void LastVisible_OfThePublishedStages_GrowsFromTheFirstTokenToTheLast()
    {
        var times = new SelftokTimes(new() { K = 512, Stages = "200,400,600,800,1000", KPerStage = "192,184,72,48,16" });
        var seen = Enumerable.Range(0, 1001).Select(t => times.LastVisible(t / 1000f)).ToArray();
        Assert.Equal((0, 192, 376, 448, 496, 511), (seen[0], seen[200], seen[400], seen[600], seen[800], seen[1000]));
        Assert.Equal(seen.Order(), seen);
    }

    [Fact]
    public void LastVisible_ByDistribution_IsTheCeilingOfTheLogitNormalShare()
    {
        var times = new SelftokTimes(new() { K = 8, KM = 0, KS = 1 });
        // cdf(logit 0.5) = 0.5, cdf(logit 0.9) = cdf(2.197) = 0.98600, cdf(logit 0.1) = 0.01400.
        Assert.Equal((0, 1, 4, 7, 7), (times.LastVisible(0), times.LastVisible(0.1f), times.LastVisible(0.5f), times.LastVisible(0.9f), times.LastVisible(1)));
    }
}
