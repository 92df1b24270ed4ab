using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>A metric over a whole set: what it needs of each observation is collected, and measured at the end.</summary>
/// <typeparam name="T">What is kept of an observation.</typeparam>
/// <param name="Name">Name, lower-case with dashes.</param>
/// <param name="Unit">Unit; empty for pure numbers.</param>
/// <param name="HigherIsBetter">Which way is better; null when neither.</param>
/// <param name="Description">One sentence with the formula's source.</param>
/// <param name="Collect">What is kept, or null when the observation lacks it.</param>
/// <param name="Measure">The figure and its parts.</param>
internal sealed record SetMetric<T>(
    string Name, string Unit, bool? HigherIsBetter, string Description, Func<Observation, T?> Collect, Func<IReadOnlyList<T>, SetFigure?> Measure) : IMetric where T : class
{
    public IMetricAccumulator Start() => new Accumulator(this);

    private sealed class Accumulator(SetMetric<T> metric) : IMetricAccumulator
    {
        private readonly List<T> _kept = [];
        private int _leftOut;

        public void Add(Observation observation)
        {
            if (metric.Collect(observation) is { } item) _kept.Add(item);
            else _leftOut++;
        }

        public MetricValue? Result() => _kept.Count > 0 && metric.Measure(_kept) is { } figure ? new(figure.Value, _kept.Count, null) { LeftOut = _leftOut, Parts = figure.Parts } : null;
    }
}

/// <summary>A figure over a set, with named parts.</summary>
internal sealed record SetFigure(double Value)
{
    public IReadOnlyList<KeyValuePair<string, double>> Parts { get; init; } = [];
}
