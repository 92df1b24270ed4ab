using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>A metric over the pixels of a whole set: generated pictures against real ones.</summary>
/// <param name="Name">Name, lower-case with dashes.</param>
/// <param name="Unit">Unit; empty for pure numbers.</param>
/// <param name="HigherIsBetter">Which way is better.</param>
/// <param name="Description">One sentence with the formula's source.</param>
/// <param name="Measure">The figure of generated and real pictures.</param>
internal sealed record PixelSetMetric(string Name, string Unit, bool? HigherIsBetter, string Description, Func<IReadOnlyList<LabelledPixels>, IReadOnlyList<LabelledPixels>, double> Measure) : IMetric
{
    /// <summary>Share of pictures that their nearest real pictures assign to the class that was asked for.</summary>
    public static PixelSetMetric ClassAgreement { get; } = new("class-agreement", "%", true,
        "Share of generated pictures whose 5 nearest real ones (Euclidean distance of pixels), by majority and then by nearness, are of the class that was asked for.",
        (made, real) => 100.0 * made.Count(picture => Nearest(picture, real) == picture.Label) / made.Count);

    /// <summary>Fréchet distance between the pixels of generated and real pictures.</summary>
    public static PixelSetMetric Fid { get; } = new("pixel-fid", "", false,
        "Fréchet distance (Heusel et al., arXiv:1706.08500) between Gaussians fitted to the pixels, in -1..1, of generated and real pictures.",
        (made, real) => FrechetDistance.Compute(Statistics(made), Statistics(real)));

    /// <inheritdoc/>
    public IMetricAccumulator Start() => new Accumulator(Measure);

    private const int Neighbours = 5;

    private static string? Nearest(LabelledPixels picture, IReadOnlyList<LabelledPixels> real)
    {
        var nearest = real.OrderBy(other => Distance(picture.Pixels, other.Pixels)).Take(Neighbours).ToList();
        return nearest.GroupBy(other => other.Label).OrderByDescending(group => group.Count()).First().Key;
    }

    private static double Distance(float[] a, float[] b) => System.Numerics.Tensors.TensorPrimitives.Distance<float>(a, b);

    // Pictures are in 0..1, models see -1..1.
    private static FeatureStatistics Statistics(IReadOnlyList<LabelledPixels> pictures) =>
        FeatureStatistics.Of(Tensor.Create<float>([.. pictures.SelectMany(picture => picture.Pixels.Select(pixel => 2 * pixel - 1))], pictures.Count, pictures[0].Pixels.Length));

    private sealed class Accumulator(Func<IReadOnlyList<LabelledPixels>, IReadOnlyList<LabelledPixels>, double> measure) : IMetricAccumulator
    {
        private readonly List<LabelledPixels> _made = [], _real = [];
        private int _leftOut;

        public void Add(Observation observation)
        {
            if (observation.Reference is Image real) _real.Add(new(real.Pixels.Span.ToArray(), observation.Label));
            if (observation.Output is Image made) _made.Add(new(made.Pixels.Span.ToArray(), observation.Label));
            else _leftOut++;
        }

        public MetricValue? Result() => _made.Count < 2 || _real.Count < 2 || _made[0].Pixels.Length != _real[0].Pixels.Length
            ? null
            : new(measure(_made, _real), _made.Count, null) { LeftOut = _leftOut };
    }
}

/// <summary>A picture's pixels in 0..1 and its class.</summary>
/// <param name="Pixels">All of them.</param>
/// <param name="Label">The class.</param>
internal sealed record LabelledPixels(float[] Pixels, string? Label);
