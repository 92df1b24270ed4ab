using ModelZoo.Networks.Metrics;

namespace ModelZoo.Networks.Tests.Metrics;

public sealed class DetectionMapTests
{
    // 35 of 100 boxes found is a recall of 0.35, which NumPy's 35 * 0.01 is just above: 35 of the 101 recalls are reached.
    [Fact]
    public void PerClass_RecallOnTheGrid_IsPycocotools()
    {
        DetectionBox[] truth = [.. Enumerable.Range(0, 100).Select(image => new DetectionBox(image, 0, 10, 10, 50, 50))];
        var map = new DetectionMap(truth, [.. truth.Take(35).Select(box => box with { Score = 0.5 })]);
        Assert.Equal(35 / 101.0, map.PerClass[0], 1e-12);
    }
}
