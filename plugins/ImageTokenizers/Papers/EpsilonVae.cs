// ε-VAE: Denoising as Visual Decoding. Zhao, Woo, Wan, Li, Zhang, Gong, Adam, Jia, Liu. arXiv:2410.04081. The authors published no code; the layout is that of the specification beside the parity case.
// Published layout: config.json + model.safetensors (AutoencoderKL's encoder, then a UNet2DModel under decoder). Deviations: none.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The configuration.</summary>
public sealed record EpsilonVaeConfig
{
    /// <summary>The encoder: AutoencoderKL's keys, of which the decoder's are not read.</summary>
    public AutoencoderKlConfig Encoder { get; init; } = new() { LatentChannels = 8, BlockOutChannels = [128, 256, 512, 512], LayersPerBlock = 2, SampleSize = 128 };
    /// <summary>The denoising decoder.</summary>
    public UNetConfig Decoder { get; init; } = new();
    /// <summary>Steepness of the reversed logarithm of times.</summary>
    public double M { get; init; } = 1;

    /// <summary>The encoder with the kinds of blocks that its widths stand for.</summary>
    public AutoencoderKlConfig Vae => Encoder with { DownBlockTypes = [.. Encoder.BlockOutChannels.Select(_ => "DownEncoderBlock2D")] };
}

/// <summary>ε-VAE: the decoder refines noise to the picture, guided by the latent.</summary>
public static class EpsilonVaeModel
{
    private const int Steps = 3;

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/epsilon-vae",
            Paper = "ε-VAE: Denoising as Visual Decoding",
            ArXiv = "2410.04081",
            Authors = ["Long Zhao", "Sanghyun Woo", "Ziyu Wan", "Yandong Li", "Han Zhang", "Boqing Gong", "Hartwig Adam", "Xuhui Jia", "Ting Liu"],
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["specification: config.json + model.safetensors"],
            Deviations = "Written from a specification: there is no public code.",
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(EpsilonVaeConfig config)
    {
        var (vae, factor) = (config.Vae, config.Encoder.Downsampling);
        var side = Math.Max(vae.SampleSize, factor);
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>> { ["encode"] = model => Encode(model, vae) },
            SizedNetworks = new Dictionary<string, SizedNetwork> { ["velocity"] = new((model, rows, columns) => Velocity(model, rows, columns, config), side, side) },
            Calls = new Dictionary<string, ReferenceCall>
            {
                ["velocity"] = async (networks, arguments, cancel) =>
                    (await networks.RunAsync("velocity", arguments.Tensor("x").Shape[2], arguments.Tensor("x").Shape[3], arguments, cancel).ConfigureAwait(false)).ToResults(),
                ["decode"] = async (networks, arguments, cancel) => await DecodeAsync(networks, arguments.Tensor<float>("latent"), arguments.Tensor<float>("noise"),
                    Times(arguments.Literal("steps", Steps), arguments.Literal("time_spacing", "reversed_log"), arguments.Literal("m", config.M)), cancel).ConfigureAwait(false),
            },
            Preparation = ImagePreparation.SignedRange(vae.SampleSize, factor),
            Encode = TokenizerPlan.EncodeWith("encode", "image", "latent"),
            Decode = async (networks, latent, options, cancel) =>
            {
                var noise = Tensor.Zeros<float>(1, config.Decoder.OutChannels, latent.Shape[2] * factor, latent.Shape[3] * factor);
                new PhiloxNoise(options.Seed, 1).Fill(noise.Span);
                return (await DecodeAsync(networks, latent.As<float>(), noise, Times(Steps, "reversed_log", config.M), cancel).ConfigureAwait(false)).Tensor("reconstruction").As<float>();
            },
        };
    }

    private static void Encode(Scope model, AutoencoderKlConfig vae)
    {
        var posterior = DiagonalGaussian.Of(AutoencoderKl.Moments(model, model.Pictures("image", vae.InChannels), vae));
        model.Graph.Output("mean", posterior.Mean);
        model.Graph.Output("logvar", posterior.LogVariance);
        model.Graph.Output("latent", posterior.Mean);
    }

    // The velocity of a rectified flow, v = e - x0: the noisy picture beside the enlarged latent.
    private static void Velocity(Scope model, int rows, int columns, EpsilonVaeConfig config)
    {
        var (g, factor) = (model.Graph, config.Encoder.Downsampling);
        var x = g.Input("x", [TokenizerInputs.Batch, config.Decoder.OutChannels, rows, columns]);
        var latent = g.Input("latent", [TokenizerInputs.Batch, config.Encoder.LatentChannels, rows / factor, columns / factor]);
        var t = g.Input("t", [TokenizerInputs.Batch]);
        var guided = ValueShape.Concat(1, x, latent.Interpolate(Interpolation.Nearest, [rows, columns]));
        g.Output("velocity", UNetNetwork.Build(model["decoder"], guided, t * 1000, null, config.Decoder, stages: "unet_"));
    }

    // From 1, noise, to 0.
    private static float[] Times(int steps, string spacing, double m) =>
    [
        .. Enumerable.Range(0, steps + 1).Select(k => 1 - (double)k / steps).Select(t => (float)(spacing switch
        {
            "linear" => t,
            "reversed_log" => Math.Log(1 + (Math.Exp(m) - 1) * t) / m,
            _ => throw new OptionsException(ErrorCodes.OptionRange, "There is no such spacing of times.") { Where = "time_spacing", Expected = "linear, reversed_log", Found = spacing },
        })),
    ];

    // Euler steps.
    private static async Task<CallResults> DecodeAsync(NetworkSet networks, Tensor<float> latent, Tensor<float> noise, float[] times, CancellationToken cancel)
    {
        var (x, batch, results) = (Tensor.Create(noise.Span.ToArray(), noise.Shape), (int)noise.Shape[0], new CallResults().Add("timesteps", Tensor.Create(times, times.Length)));
        for (var step = 0; step < times.Length - 1; step++)
        {
            var t = Tensor.Create(Enumerable.Repeat(times[step], batch).ToArray(), batch);
            var velocity = (await networks.RunAsync("velocity", x.Shape[2], x.Shape[3], cancel, ("x", x), ("latent", latent), ("t", t)).ConfigureAwait(false))["velocity"];
            for (var i = 0; i < x.Length; i++) x.Span[i] += (times[step + 1] - times[step]) * velocity.Span[i];
            if (step == 0) results.Add("first_step", Tensor.Create(x.Span.ToArray(), x.Shape));
        }

        return results.Add("reconstruction", x).Add("one_step_reconstruction", x);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<EpsilonVaeConfig>())));
}
