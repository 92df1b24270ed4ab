namespace ModelZoo.Contracts.Tests.Evaluation;

public class MeanMetricTests
{
    [Fact]
    public void Result_EqualsTwoPassMeanAndInterval()
    {
        double[] values = [1, 4, 4, 9, -2.5];
        var metric = new MeanMetric("m", "", true, "", observation => double.TryParse(observation.Id, System.Globalization.CultureInfo.InvariantCulture, out var value) ? value : null);
        var accumulator = metric.Start();
        Assert.Null(accumulator.Result());
        foreach (var value in values) accumulator.Add(new(value.ToString(System.Globalization.CultureInfo.InvariantCulture), null, null));
        accumulator.Add(new("nothing", null, null));

        var mean = values.Average();
        var deviation = Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1));
        var result = accumulator.Result()!;
        Assert.Equal(mean, result.Value, 1e-12);
        Assert.Equal(1.96 * deviation / Math.Sqrt(values.Length), result.Confidence!.Value, 1e-12);
        Assert.Equal((5, 1), (result.Count, result.LeftOut));
    }
}
