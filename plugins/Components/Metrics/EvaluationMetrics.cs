using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>The metrics that <c>modelzoo evaluate</c> offers for any model.</summary>
internal static class EvaluationMetrics
{
    public static IReadOnlyList<IMetric> All { get; } =
    [
        .. SoundEvaluation.All,
        .. PictureEvaluation.All,
        .. TextEvaluation.All,
        .. TokenEvaluation.All,
        .. RankingEvaluation.All,
        .. ShapeEvaluation.All,
    ];
}
