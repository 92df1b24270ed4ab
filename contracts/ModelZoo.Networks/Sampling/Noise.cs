using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling;

/// <summary>Starting noise of samplers.</summary>
public static class Noise
{
    /// <summary>Standard normal noise (samples, ...): each sample has a stream of its own, so a sample is the same in a batch of any size.</summary>
    /// <param name="seed">The request's seed.</param>
    /// <param name="shape">Extents, samples first.</param>
    public static Tensor<float> Normal(ulong seed, params ReadOnlySpan<long> shape)
    {
        var noise = Tensor.Zeros<float>(shape);
        for (var i = 0; i < (shape.Length == 0 ? 0 : (int)shape[0]); i++) Philox.Of(seed, i, draw: 0).FillNormal(noise.Slice(i).Span);
        return noise;
    }
}
