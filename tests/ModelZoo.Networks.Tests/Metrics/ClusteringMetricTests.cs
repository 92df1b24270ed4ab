using ModelZoo.Networks.Metrics;

namespace ModelZoo.Networks.Tests.Metrics;

public sealed class ClusteringMetricTests
{
    // What scikit-learn gives where a partition has one part only.
    [Theory]
    [InlineData(new long[] { 0, 0, 0 }, new long[] { 5, 5, 5 }, 1, 1, 1)]
    [InlineData(new long[] { 0, 0, 0, 0 }, new long[] { 0, 1, 1, 2 }, 0, 0, 0)]
    [InlineData(new long[] { 2, 1, 0 }, new long[] { 0, 1, 2 }, 1, 1, 1)]
    public void Agreement_OfWholeOrSinglePartitions_IsScikitLearns(long[] truth, long[] clusters, double normalized, double adjusted, double rand)
    {
        var metrics = ClusteringMetrics.Count(truth, clusters);
        Assert.Equal(normalized, metrics.NormalizedMutualInformation(Math.Min), 1e-9);
        Assert.Equal(normalized, metrics.NormalizedMutualInformation((a, b) => Math.Sqrt(a * b)), 1e-9);
        Assert.Equal(adjusted, metrics.AdjustedMutualInformation, 1e-9);
        Assert.Equal(rand, metrics.AdjustedRandIndex, 1e-9);
    }

    // scikit-learn takes 0 for 0 / 0, and passes over centres that coincide.
    [Fact]
    public void Quality_OfPointsThatCoincide_IsScikitLearns()
    {
        var same = new ClusterQuality(Contracts.Tensor.Create(new float[8], 4, 2), [0, 0, 1, 1]);
        Assert.Equal((0, 0), (same.Silhouette, same.DaviesBouldin));
        var crossed = new ClusterQuality(Contracts.Tensor.Create([-1f, 1, -2, 2, 9, 9], 6, 1), [0, 0, 1, 1, 2, 2]);
        Assert.Equal((1 / 9.0 + 2 / 9.0 + 2 / 9.0) / 3, crossed.DaviesBouldin, 1e-6);
    }
}
