using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Metrics;

internal static class MetricParts
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } = [];
}
