// Autoregressive Image Generation without Vector Quantization. Li, Tian, Li, Deng, He. arXiv:2406.11838, section 3.2: a small denoiser for each token.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Sizes of a head.</summary>
/// <param name="Channels">Channels of a token.</param>
/// <param name="Condition">Width of what the transformer gives.</param>
/// <param name="Width">Width of the head.</param>
/// <param name="Depth">Residual blocks.</param>
internal sealed record DiffusionHeadSizes(long Channels, long Condition, long Width, int Depth);

/// <summary>MAR's head: what the transformer says about tokens to the tokens, by diffusion (<c>SimpleMLPAdaLN</c>).</summary>
internal sealed class DiffusionHead : IDisposable
{
    private readonly Network _network;
    private readonly int _channels;

    /// <summary>Builds the head.</summary>
    public DiffusionHead(NetworkContext context, DiffusionHeadSizes sizes, string scope = "diffloss.net")
    {
        _channels = (int)sizes.Channels;
        _network = Network.Build(context, "diffusion head", root => Declare(root[scope], sizes));
    }

    /// <summary>x (n, C), t (n), c (n, Z) -> out (n, 2 C): noise, and where the variance lies between its bounds.</summary>
    public static void Declare(Scope net, DiffusionHeadSizes sizes)
    {
        var g = net.Graph;
        var rows = Dim.Symbol("rows");
        g.Output("out", Build(net, g.Input("x", [rows, sizes.Channels]), g.Input("t", [rows]), g.Input("c", [rows, sizes.Condition]), sizes));
    }

    /// <summary>The denoiser once. t holds training steps.</summary>
    public async Task<Tensor<float>> PredictAsync(Tensor<float> x, Tensor<float> t, Tensor<float> c, CancellationToken cancel) => (await _network.RunAsync(cancel, ("x", x), ("t", t), ("c", c)).ConfigureAwait(false))["out"];

    /// <summary>Tokens from noise. The whole loop is one task, which a cancellation leaves within a step.</summary>
    /// <param name="diffusion">The steps.</param>
    /// <param name="conditions">(n, Z), or (2 n, Z) when guided: the unconditional ones after the conditional ones.</param>
    /// <param name="guidance">Scale of classifier-free guidance on the noise; 1 for none.</param>
    /// <param name="temperature">Factor on the noise of the steps.</param>
    /// <param name="noise">Starting noise (n, C), turned into the tokens.</param>
    /// <param name="draws">Noise of the k-th step in order of computation, from 1; not asked for at the last.</param>
    public Task<Tensor<float>> SampleAsync(SpacedDiffusion diffusion, Tensor<float> conditions, float guidance, float temperature, Tensor<float> noise, Draw draws, CancellationToken cancel) => Task.Run(
        () =>
        {
            var (rows, all) = ((int)noise.Shape[0], (int)conditions.Shape[0]);
            var (x, fresh) = (noise.Span.ToArray(), new float[noise.Length]);
            var (epsilon, variance) = (new float[noise.Length], new float[noise.Length]);
            var (input, times) = (Tensor.Zeros<float>(all, _channels), Tensor.Zeros<float>(all));
            for (var step = diffusion.Count - 1; step >= 0 && rows > 0; step--)
            {
                for (var start = 0; start < input.Length; start += x.Length) x.CopyTo(input.Span[start..]);
                times.Span.Fill(diffusion.Timesteps[step]);
                var output = _network.Run(cancel, ("x", input), ("t", times), ("c", conditions))["out"].Span;
                for (var row = 0; row < rows; row++)
                {
                    for (var channel = 0; channel < _channels; channel++)
                    {
                        var (own, at) = (row * _channels + channel, row * 2 * _channels + channel);
                        variance[own] = output[at + _channels];
                        epsilon[own] = output[at];
                        if (all == rows) continue;
                        var without = output[at + rows * 2 * _channels];
                        epsilon[own] = without + guidance * (output[at] - without);
                    }
                }

                if (step > 0) draws(diffusion.Count - step, fresh);
                diffusion.Step(step, epsilon, variance, x, fresh, temperature);
            }

            return Tensor.Create(x, noise.Shape);
        },
        cancel);

    /// <inheritdoc/>
    public void Dispose() => _network.Dispose();

    private static Value Build(Scope net, Value x, Value t, Value c, DiffusionHeadSizes sizes)
    {
        var time = net["time_embed.mlp.2"].Linear(net["time_embed.mlp.0"].Linear(t.Sinusoid(256), sizes.Width).Silu(), sizes.Width);
        var y = (time + net["cond_embed"].Linear(c, sizes.Width)).Silu();
        x = net["input_proj"].Linear(x, sizes.Width);
        for (var i = 0; i < sizes.Depth; i++)
        {
            var block = net["res_blocks"][i];
            var (shift, scale, gate) = block["adaLN_modulation.1"].Linear(y, 3 * sizes.Width).Chunk3();
            var h = block["in_ln"].LayerNorm(x, 1e-6) * (scale + 1) + shift;
            x += gate * block["mlp.2"].Linear(block["mlp.0"].Linear(h, sizes.Width).Silu(), sizes.Width);
        }

        var (finalShift, finalScale) = net["final_layer.adaLN_modulation.1"].Linear(y, 2 * sizes.Width).Chunk2();
        return net["final_layer.linear"].Linear(x.LayerNorm(1e-6) * (finalScale + 1) + finalShift, 2 * sizes.Channels);
    }
}
