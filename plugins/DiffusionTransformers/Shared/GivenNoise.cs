using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>Draws that were given, one a step.</summary>
internal sealed class GivenNoise(Tensor<float> draws) : INoiseSource
{
    private int _next;

    /// <inheritdoc/>
    public void Fill(Span<float> destination) => draws.Slice(_next++).Span.CopyTo(destination);
}

/// <summary>For methods without randomness.</summary>
internal sealed class NoNoise : INoiseSource
{
    /// <summary>The only one.</summary>
    public static NoNoise Instance { get; } = new();

    /// <inheritdoc/>
    public void Fill(Span<float> destination) => throw Calls.Lacks("step_noise");
}
