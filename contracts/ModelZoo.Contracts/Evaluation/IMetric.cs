namespace ModelZoo.Contracts;

/// <summary>A measure over observations. Stateless; each evaluation starts its own accumulator.</summary>
public interface IMetric
{
    /// <summary>Name, lower-case with dashes, such as <c>si-sdr</c>.</summary>
    string Name { get; }

    /// <summary>Unit, such as <c>dB</c>; empty for pure numbers.</summary>
    string Unit { get; }

    /// <summary>Which way is better; null when neither.</summary>
    bool? HigherIsBetter { get; }

    /// <summary>One sentence with the formula's source.</summary>
    string Description { get; }

    /// <summary>An empty accumulator.</summary>
    IMetricAccumulator Start();
}

/// <summary>Collects observations of one metric and group. Not synchronised.</summary>
public interface IMetricAccumulator
{
    /// <summary>Takes an observation; one that lacks what the metric needs is counted as left out.</summary>
    void Add(Observation observation);

    /// <summary>The figure so far, or null when nothing could be measured.</summary>
    MetricValue? Result();
}

/// <summary>A measured figure.</summary>
/// <param name="Value">The figure.</param>
/// <param name="Count">Observations that it rests on.</param>
/// <param name="Confidence">Half width of its 95 % interval, where the metric is a mean; null for metrics over the whole set.</param>
public sealed record MetricValue(double Value, int Count, double? Confidence)
{
    /// <summary>Observations that lacked what the metric needs.</summary>
    public int LeftOut { get; init; }

    /// <summary>Named parts, such as the perplexity of each codebook.</summary>
    public IReadOnlyList<KeyValuePair<string, double>> Parts { get; init; } = [];
}
