using ModelZoo.Contracts;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Euler steps from noise (t = 1) to latents (t = 0), guided towards the tokens; with norm guidance by adaptive projection (Sadat et al., arXiv:2410.02416).</summary>
internal sealed class FlexTokSampler(NetworkSet networks, Tensor<long> tokens, Tensor<float> kept, float guidance, bool normGuidance)
{
    private const float Momentum = -0.5f;
    private const double LargestNorm = 2.5;

    /// <summary>Latents of noise (B, C, h, w).</summary>
    public async ValueTask<Tensor<float>> SampleAsync(Tensor<float> noise, int steps, CancellationToken cancel)
    {
        var x = Tensor.Create(noise.Span.ToArray(), noise.Shape);
        var running = new float[x.Length];
        for (var step = 0; step < steps; step++)
        {
            var time = 1 - (float)step / steps;
            var velocity = await VelocityAsync(x, time, conditional: 1, cancel).ConfigureAwait(false);
            if (guidance != 1)
            {
                var without = await VelocityAsync(x, time, conditional: 0, cancel).ConfigureAwait(false);
                if (normGuidance) Project(velocity, without, running);
                else TensorPrimitives.MultiplyAdd(Difference(velocity, without), guidance, without.Span, velocity.Span);
            }

            for (var i = 0; i < x.Length; i++) x.Span[i] -= velocity.Span[i] / steps;
        }

        return x;
    }

    private async ValueTask<Tensor<float>> VelocityAsync(Tensor<float> x, float time, float conditional, CancellationToken cancel)
    {
        var batch = (int)x.Shape[0];
        Tensor<float> All(float value) => Tensor.Create([.. Enumerable.Repeat(value, batch)], batch);
        return (await networks.RunAsync("velocity", cancel, ("tokens", tokens), ("kept", kept), ("conditional", All(conditional)), ("noised_latents", x), ("timesteps", All(time))).ConfigureAwait(false))["velocity"];
    }

    // For each sample: the running difference, no longer than the largest norm, without its part along the conditional velocity.
    private void Project(Tensor<float> velocity, Tensor<float> without, float[] running)
    {
        var difference = Difference(velocity, without);
        TensorPrimitives.MultiplyAdd(running, Momentum, difference, running);
        var size = velocity.Length / (int)velocity.Shape[0];
        for (var start = 0; start < velocity.Length; start += size)
        {
            var guide = running.AsSpan(start, size);
            var along = velocity.Span.Slice(start, size);
            var (norm, length, product) = (0.0, 0.0, 0.0);
            for (var i = 0; i < size; i++)
            {
                norm += (double)guide[i] * guide[i];
                length += (double)along[i] * along[i];
                product += (double)guide[i] * along[i];
            }

            var scale = Math.Min(1, LargestNorm / Math.Sqrt(norm));
            for (var i = 0; i < size; i++) along[i] += (float)((guidance - 1) * scale * (guide[i] - product / length * along[i]));
        }
    }

    private static float[] Difference(Tensor<float> a, Tensor<float> b)
    {
        var difference = new float[a.Length];
        TensorPrimitives.Subtract(a.Span, b.Span, difference);
        return difference;
    }
}
