// Classifier-Free Diffusion Guidance. Ho, Salimans. arXiv:2207.12598. Interval: Kynkäänniemi et al. arXiv:2404.07724. Rescale: Lin et al. arXiv:2305.08891.
namespace ModelZoo.Networks.Sampling;

/// <summary>Guidance of a conditional prediction away from an unconditional one.</summary>
/// <param name="Scale">w in unconditional + w (conditional - unconditional); 1 is no guidance.</param>
public sealed record ClassifierFreeGuidance(float Scale)
{
    /// <summary>Lowest noise level (or timestep, as the caller counts) at which guidance applies.</summary>
    public float From { get; init; } = float.NegativeInfinity;

    /// <summary>Highest noise level at which guidance applies.</summary>
    public float To { get; init; } = float.PositiveInfinity;

    /// <summary>Share by which the guided prediction is brought back to the conditional one's standard deviation.</summary>
    public float Rescale { get; init; }

    /// <summary>Channels that are guided, from the first; null for all. The DiT authors' code guides three.</summary>
    public int? Channels { get; init; }

    /// <summary>True where the unconditional prediction is needed at all.</summary>
    public bool AppliesAt(float level) => Scale != 1 && level >= From && level <= To;

    /// <summary>The guided prediction; the conditional one where guidance does not apply.</summary>
    /// <param name="conditional">(batch, channels, inner).</param>
    /// <param name="unconditional">The same shape.</param>
    /// <param name="level">Noise level or timestep.</param>
    /// <param name="result">Takes the prediction; may be one of the inputs.</param>
    public void Apply(ReadOnlySpan<float> conditional, ReadOnlySpan<float> unconditional, SampleShape shape, float level, Span<float> result)
    {
        if (!AppliesAt(level))
        {
            conditional.CopyTo(result);
            return;
        }

        var guided = (Channels is { } channels ? Math.Min(channels, shape.Channels) : shape.Channels) * shape.Inner;
        for (var sample = 0; sample < shape.Batch; sample++)
        {
            var at = sample * shape.PerSample;
            var deviation = Rescale > 0 ? Deviation(conditional.Slice(at, shape.PerSample)) : 0;
            for (var i = at; i < at + shape.PerSample; i++) result[i] = i < at + guided ? unconditional[i] + Scale * (conditional[i] - unconditional[i]) : conditional[i];
            if (Rescale <= 0) continue;
            var row = result.Slice(at, shape.PerSample);
            var factor = (float)(Rescale * (deviation / Deviation(row)) + 1 - Rescale);
            foreach (ref var value in row) value *= factor;
        }
    }

    private static double Deviation(ReadOnlySpan<float> values)
    {
        var (sum, squares) = (0.0, 0.0);
        foreach (var value in values) sum += value;
        var mean = sum / values.Length;
        foreach (var value in values) squares += (value - mean) * (value - mean);
        return Math.Sqrt(squares / (values.Length - 1));
    }
}
