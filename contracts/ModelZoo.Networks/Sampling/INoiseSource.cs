namespace ModelZoo.Networks.Sampling;

/// <summary>Where a sampler takes its standard normal draws from: a seeded generator, or given numbers.</summary>
public interface INoiseSource
{
    /// <summary>Fills <paramref name="destination"/> with the next draw, independent of all earlier ones.</summary>
    void Fill(Span<float> destination);
}
