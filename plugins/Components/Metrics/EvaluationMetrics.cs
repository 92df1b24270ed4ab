using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Metrics;

internal static class EvaluationMetrics
{
    public static IReadOnlyList<IMetric> All { get; } = [];
}
