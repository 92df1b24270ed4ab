namespace ModelZoo.Networks.Sampling;

/// <summary>Seeded draws for a batch: every sample and every draw has its own stream. Draw 0 is the starting noise of <see cref="Noise"/>.</summary>
/// <param name="seed">The request's seed.</param>
/// <param name="samples">Samples of the batch; each fill is divided evenly among them.</param>
/// <param name="firstSample">Number of the batch's first sample within the request, so that a request can be run in parts.</param>
public sealed class PhiloxNoise(ulong seed, int samples, int firstSample = 0) : INoiseSource
{
    private int _draw;

    /// <inheritdoc/>
    public void Fill(Span<float> destination)
    {
        _draw++;
        var length = destination.Length / samples;
        for (var i = 0; i < samples; i++) Philox.Of(seed, firstSample + i, _draw).FillNormal(destination.Slice(i * length, length));
    }
}
