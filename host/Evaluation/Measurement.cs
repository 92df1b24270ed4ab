using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Evaluation;

/// <summary>Feeds observations to metrics, each group of observations on its own. Equal observations in equal order give equal figures, wherever they come from.</summary>
internal sealed class Measurement(EvaluationPlan plan, IReadOnlyList<IMetric> metrics) : IDisposable
{
    private readonly OrderedDictionary<string, List<IMetricAccumulator>> _groups = [];
    private readonly DataDigest _digest = new();

    /// <summary>Takes the next batch of the data set.</summary>
    public void Add(ObservedBatch batch)
    {
        foreach (var example in batch.Examples) _digest.Add(example);
        foreach (var observation in batch.Observations)
        {
            if (!_groups.TryGetValue(observation.Group, out var accumulators)) _groups.Add(observation.Group, accumulators = [.. metrics.Select(metric => metric.Start())]);
            foreach (var accumulator in accumulators) accumulator.Add(observation);
        }
    }

    /// <summary>What was measured.</summary>
    /// <exception cref="ModelZooException">There were no examples.</exception>
    public EvaluationReport Report()
    {
        if (_digest.Examples == 0) throw new ModelZooException(ErrorCodes.DatasetInvalid, "The data set has no examples.") { Where = plan.Data };
        var measured = metrics.Select((metric, i) => new MeasuredMetric(metric, _groups.Select(group => (group.Key, Value: group.Value[i].Result())).Where(pair => pair.Value is not null).ToDictionary(pair => pair.Key, pair => pair.Value!))).ToList();
        var report = new EvaluationReport(new(plan.Data, plan.Layout, _digest.Examples, _digest.ToString()), [.. _groups.Keys], measured, plan.Run);
        return report with { Run = plan.Run with { Evaluation = plan.Run.Evaluation! with { DataSha256 = report.Data.Sha256, Figures = JsonSerializer.SerializeToElement(report.Figures()) } } };
    }

    public void Dispose() => _digest.Dispose();
}
