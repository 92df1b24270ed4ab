namespace ModelZoo.Contracts;

/// <summary>A metric that is the mean of a number for each observation.</summary>
/// <param name="Name">Name, lower-case with dashes.</param>
/// <param name="Unit">Unit; empty for pure numbers.</param>
/// <param name="HigherIsBetter">Which way is better; null when neither.</param>
/// <param name="Description">One sentence with the formula's source.</param>
/// <param name="Measure">The number, or null when the observation lacks what is needed.</param>
public sealed record MeanMetric(string Name, string Unit, bool? HigherIsBetter, string Description, Func<Observation, double?> Measure) : IMetric
{
    /// <inheritdoc/>
    public IMetricAccumulator Start() => new Accumulator(Measure);

    // Welford's running mean and variance.
    private sealed class Accumulator(Func<Observation, double?> measure) : IMetricAccumulator
    {
        private int _count, _leftOut;
        private double _mean, _squares;

        public void Add(Observation observation)
        {
            if (measure(observation) is not { } value)
            {
                _leftOut++;
                return;
            }

            _count++;
            var delta = value - _mean;
            _mean += delta / _count;
            _squares += delta * (value - _mean);
        }

        public MetricValue? Result() => _count == 0
            ? null
            : new(_mean, _count, _count > 1 ? 1.96 * Math.Sqrt(_squares / (_count - 1) / _count) : null) { LeftOut = _leftOut };
    }
}
