using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;

namespace ModelZoo.Plugins.Motion;

/// <summary>Embeddings of one repeat, a row each: real motions, captions, made motions, and those made of one caption, (captions, n, E), where there are any; and the size of the batches that captions look for their motions in.</summary>
internal sealed record MotionEmbeddings(Tensor<float> Real, Tensor<float> Texts, Tensor<float> Made, Tensor<float>? Modes, int Batch);

/// <summary>A measure in the evaluator's space: its mean over the repeats, with the interval of that mean.</summary>
/// <param name="Name">Name, lower-case with dashes.</param>
/// <param name="HigherIsBetter">Which way is better; null when neither.</param>
/// <param name="Description">One sentence with the formula's source.</param>
/// <param name="Measure">The figure of a repeat, given its number for draws; null when nothing can be measured.</param>
internal sealed record EmbeddingMetric(string Name, bool? HigherIsBetter, string Description, Func<MotionEmbeddings, int, double?> Measure) : IMetric
{
    private const string Source = "Guo et al., Generating Diverse and Natural 3D Human Motions from Text, CVPR 2022";
    private const int Pairs = 300, FewPairs = 100, ModePairs = 10;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<IMetric> All { get; } =
    [
        new EmbeddingMetric("motion-fid", false, $"Fréchet distance between real and generated motions in the evaluator's space ({Source}).",
            (e, _) => e.Made.Shape[0] < 2 ? null : FrechetDistance.Compute(FeatureStatistics.Of(e.Made), FeatureStatistics.Of(e.Real))),
        .. Enumerable.Range(1, 3).Select(k => new EmbeddingMetric($"r-precision-{k}", true, $"Share of captions whose motion is among the {k} nearest of its batch ({Source}).", (e, _) => MotionMetrics.RetrievalScores(e.Texts, e.Made, e.Batch, 3).RPrecision[k - 1])),
        new EmbeddingMetric("multimodal-distance", false, $"Mean distance of captions and their motions in the evaluator's space ({Source}).", (e, _) => MotionMetrics.RetrievalScores(e.Texts, e.Made, e.Batch, 1).MultimodalDistance),
        new EmbeddingMetric("motion-diversity", null, $"Mean distance of {Pairs} random pairs of motions, or of {FewPairs} where there are no more than {Pairs} motions; near that of real motions is best ({Source}).", (e, repeat) =>
        {
            var count = (int)e.Made.Shape[0];
            var pairs = Math.Min(count, count > Pairs ? Pairs : FewPairs);
            return count < 2 ? null : MotionMetrics.Diversity(e.Made, Chosen(count, pairs, repeat, 0), Chosen(count, pairs, repeat, 1));
        }),
        new EmbeddingMetric("multimodality", true, $"Mean distance of {ModePairs} random pairs among the motions of one caption ({Source}).",
            (e, repeat) => e.Modes is null ? null : MotionMetrics.Multimodality(e.Modes, Chosen((int)e.Modes.Shape[1], ModePairs, repeat, 2), Chosen((int)e.Modes.Shape[1], ModePairs, repeat, 3))),
    ];

    /// <inheritdoc/>
    public string Unit => "";

    /// <inheritdoc/>
    public IMetricAccumulator Start() => new Accumulator(Measure);

    private static long[] Chosen(int count, int many, int repeat, int draw) => new SeededChoice(0, repeat, draw).Of(count, many);

    private sealed class Accumulator(Func<MotionEmbeddings, int, double?> measure) : IMetricAccumulator
    {
        private readonly SortedDictionary<int, List<(Tensor<float> Real, Tensor<float> Text, Tensor<float> Made, Tensor<float>? Modes)>> _repeats = [];
        private int _count, _leftOut, _batch;

        public void Add(Observation observation)
        {
            if (observation is not { Reference: NamedTensors { } reference, Output: NamedTensors { } output } || !output.Values.TryGetValue(MotionEvaluation.RepeatKey, out var number))
            {
                _leftOut++;
                return;
            }

            (var repeat, _batch) = ((int)number.As<long>().Span[0], (int)number.As<long>().Span[1]);
            if (!_repeats.TryGetValue(repeat, out var rows)) _repeats[repeat] = rows = [];
            rows.Add((reference.Values[MotionEvaluation.MotionKey].As<float>(), reference.Values[MotionEvaluation.TextKey].As<float>(), output.Values[MotionEvaluation.MotionKey].As<float>(), output.Values.GetValueOrDefault(MotionEvaluation.ModesKey)?.As<float>()));
            _count++;
        }

        public MetricValue? Result()
        {
            var figures = _repeats.Select(repeat => measure(Of(repeat.Value), repeat.Key)).OfType<double>().ToList();
            if (figures.Count == 0) return null;
            var mean = figures.Average();
            // As the authors: the population's deviation over the root of the repeats.
            var deviation = Math.Sqrt(figures.Sum(figure => (figure - mean) * (figure - mean)) / figures.Count);
            return new(mean, _count, figures.Count > 1 ? 1.96 * deviation / Math.Sqrt(figures.Count) : null) { LeftOut = _leftOut };
        }

        private MotionEmbeddings Of(List<(Tensor<float> Real, Tensor<float> Text, Tensor<float> Made, Tensor<float>? Modes)> rows)
        {
            List<Tensor<float>> modes = [.. rows.Select(row => row.Modes).OfType<Tensor<float>>()];
            return new(Rows(rows.Select(row => row.Real)), Rows(rows.Select(row => row.Text)), Rows(rows.Select(row => row.Made)), modes.Count == 0 ? null : Rows(modes), _batch);
        }

        private static Tensor<float> Rows(IEnumerable<Tensor<float>> rows)
        {
            var all = rows.ToList();
            return Tensor.Create<float>([.. all.SelectMany(row => row.Span.ToArray())], [all.Count, .. all[0].Shape]);
        }
    }
}
