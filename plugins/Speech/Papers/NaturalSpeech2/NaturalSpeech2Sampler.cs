using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech;

/// <summary>From noise at time 1 to latents at time 0 in equal steps, each evaluated in its middle. Knows no network.</summary>
internal static class NaturalSpeech2Sampler
{
    /// <summary>Runs the sampler.</summary>
    /// <param name="noise">The start.</param>
    /// <param name="steps">Number of steps.</param>
    /// <param name="config">The diffusion.</param>
    /// <param name="predict">The network: state and time to the clean latents (diffusion), or to noise minus latents (flow).</param>
    public static async IAsyncEnumerable<Tensor<float>> SampleAsync(Tensor<float> noise, int steps, NaturalSpeech2Diffusion config, Func<Tensor<float>, float, Task<Tensor<float>>> predict)
    {
        var (x, h) = (noise, 1.0 / Math.Max(steps, 1));
        for (var i = 0; i < steps; i++)
        {
            var t = (float)(1 - (i + 0.5) * h);
            var next = Minus(x, await ChangeAsync(x, t).ConfigureAwait(false));
            if (config is { DiffusionType: "diffusion", OdeSolver: "midpoint" })
                next = Minus(x, await ChangeAsync(Middle(x, next), t + (float)(0.5 * h)).ConfigureAwait(false));
            yield return x = next;
        }

        async Task<Tensor<float>> ChangeAsync(Tensor<float> state, float t)
        {
            var predicted = await predict(state, t).ConfigureAwait(false);
            return Map(state, predicted, Change(t));
        }

        Func<float, float, float> Change(float t)
        {
            if (config.DiffusionType == "flow") return (_, flow) => (float)h * flow;
            // dx = -h/2 beta_t (score + x / sigma^2), the score from the predicted clean latents.
            var (low, range, square) = ((float)config.BetaMin, (float)(config.BetaMax - config.BetaMin), (float)(config.Sigma * config.Sigma));
            var (beta, cumulative) = (low + range * t, low * t + 0.5f * range * t * t);
            var (decay, variance) = (MathF.Exp(-0.5f * cumulative / square), square * (1 - MathF.Exp(-cumulative / square)));
            return (state, clean) => (float)(-0.5 * h) * beta * (-(state - clean * decay) / (variance + 1e-8f) + state / square);
        }
    }

    private static Tensor<float> Minus(Tensor<float> a, Tensor<float> b) => Map(a, b, (x, y) => x - y);

    private static Tensor<float> Middle(Tensor<float> a, Tensor<float> b) => Map(a, b, (x, y) => 0.5f * (x + y));

    private static Tensor<float> Map(Tensor<float> a, Tensor<float> b, Func<float, float, float> function)
    {
        var result = Tensor.Zeros<float>(a.Shape);
        for (var i = 0; i < result.Length; i++) result.Span[i] = function(a.Span[i], b.Span[i]);
        return result;
    }
}
