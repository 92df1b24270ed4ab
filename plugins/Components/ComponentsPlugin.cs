using ModelZoo.Contracts;
using ModelZoo.Plugins.Components;
using ModelZoo.Plugins.Components.Features;
using ModelZoo.Plugins.Components.Metrics;
using ModelZoo.Plugins.Components.Parts;
using ModelZoo.Plugins.Components.Schedulers;

[assembly: ModelPlugin(typeof(ComponentsPlugin))]

namespace ModelZoo.Plugins.Components;

/// <summary>The parts that papers share, as hidden models for <c>modelzoo verify</c>, and the metrics that any model can be evaluated with.</summary>
public sealed class ComponentsPlugin : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        .. SchedulerParts.Architectures,
        .. FeatureParts.Architectures,
        .. MetricParts.Architectures,
        .. NetworkParts.Architectures,
    ];

    /// <inheritdoc/>
    public IReadOnlyList<IMetric> Metrics { get; } = EvaluationMetrics.All;
}
