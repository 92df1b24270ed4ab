using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Noise of tokens to be predicted: the k-th draw of each place, 0 being the starting noise. destination (places, C).</summary>
internal delegate void TokenNoise(IReadOnlyList<TokenPlace> places, int draw, Span<float> destination);

/// <summary>Where the noise of tokens comes from.</summary>
internal static class TokenNoises
{
    /// <summary>A stream for each sample and place, so that a token is the same in any batch and at any iteration.</summary>
    public static TokenNoise Seeded(ulong seed) => (places, draw, destination) =>
    {
        var channels = destination.Length / Math.Max(1, places.Count);
        for (var i = 0; i < places.Count; i++)
            Philox.Of(seed, places[i].Sample, places[i].Position + 1).FillNormal(destination.Slice(i * channels, channels), (ulong)(draw * channels));
    };

    /// <summary>Given by place: (B, N, draws, C).</summary>
    public static TokenNoise ByPlace(Tensor<float> noise) => (places, draw, destination) =>
    {
        var channels = (int)noise.Shape[3];
        for (var i = 0; i < places.Count; i++) noise.Slice(places[i].Sample).Slice(places[i].Position).Slice(draw).Span.CopyTo(destination.Slice(i * channels, channels));
    };

    /// <summary>
    /// Given in the order of prediction: starting noise (tokens, C) and draws (rows, steps, C), where an iteration's rows are doubled when guided, of which the first half counts. One use only.
    /// </summary>
    public static TokenNoise InOrder(Tensor<float> start, Tensor<float> draws, bool guided)
    {
        var (next, current) = (0, 0);
        return (places, draw, destination) =>
        {
            if (draw == 0)
            {
                (current, next) = (next, next + places.Count);
                start.Span.Slice(current * (int)start.Shape[1], destination.Length).CopyTo(destination);
                return;
            }

            var channels = (int)draws.Shape[2];
            for (var i = 0; i < places.Count; i++) draws.Slice((guided ? 2 : 1) * current + i).Slice(draw - 1).Span.CopyTo(destination.Slice(i * channels, channels));
        };
    }

    /// <summary>Predicts the places' tokens with a head and this noise.</summary>
    public static TokenHead Head(this TokenNoise noise, DiffusionHead head, SpacedDiffusion diffusion, float temperature, int channels) => (conditions, guidance, places, cancel) =>
    {
        var start = Tensor.Zeros<float>(places.Count, channels);
        noise(places, 0, start.Span);
        return head.SampleAsync(diffusion, conditions, guidance, temperature, start, (step, destination) => noise(places, step, destination), cancel);
    };
}
