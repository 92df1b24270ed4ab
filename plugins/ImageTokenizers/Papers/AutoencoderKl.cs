// High-Resolution Image Synthesis with Latent Diffusion Models. Rombach, Blattmann, Lorenz, Esser, Ommer. arXiv:2112.10752. github.com/CompVis/latent-diffusion
// Published layout: diffusers AutoencoderKL (config.json + diffusion_pytorch_model.safetensors), the attention's names of before 2023 too. Deviations: none.
// The network is ModelZoo.Networks.Autoencoders.AutoencoderKl, which diffusion models share.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The autoencoder of Stable Diffusion: a picture as a small continuous one.</summary>
public static class AutoencoderKlModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/autoencoder-kl",
            Paper = "High-Resolution Image Synthesis with Latent Diffusion Models",
            ArXiv = "2112.10752",
            Authors = ["Robin Rombach", "Andreas Blattmann", "Dominik Lorenz", "Patrick Esser", "Björn Ommer"],
            Repository = "huggingface/diffusers",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["diffusers: config.json + diffusion_pytorch_model.safetensors"],
            Sizes =
            [
                new("stabilityai/sd-vae-ft-mse", 83_653_863, []),
                new("stabilityai/sdxl-vae", 83_653_863, []),
                new("stabilityai/stable-diffusion-3-medium-diffusers: vae", 83_819_683, []),
                new("black-forest-labs/FLUX.1-dev: vae", 83_819_683, []),
            ],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(AutoencoderKlConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode"] = vae => Encode(vae, config),
            ["sample"] = vae => Sample(vae, config),
            ["decode"] = vae => Decode(vae, config),
            ["normalize_latent"] = vae => vae.Graph.Output("scaled_latent", AutoencoderKl.Normalize(LatentInput(vae, "latent", config), config)),
        },
        Preparation = ImagePreparation.SignedRange(0, config.Downsampling),
        Encode = TokenizerPlan.EncodeWith("encode", "x", "latent"),
        Decode = TokenizerPlan.DecodeWith("decode", "z", "reconstruction"),
    };

    private static void Encode(Scope vae, AutoencoderKlConfig config)
    {
        var posterior = AutoencoderKl.Encode(vae, PictureInput(vae, config), config);
        vae.Graph.Stage("mean", posterior.Mean);
        vae.Graph.Stage("std", posterior.Deviation);
        vae.Graph.Output("latent", posterior.Mean);
    }

    private static void Sample(Scope vae, AutoencoderKlConfig config)
    {
        var posterior = AutoencoderKl.Encode(vae, PictureInput(vae, config), config);
        vae.Graph.Output("latent_sample", posterior.Sample(LatentInput(vae, "noise", config, like: posterior.Mean)));
    }

    private static void Decode(Scope vae, AutoencoderKlConfig config) => vae.Graph.Output("reconstruction", AutoencoderKl.Decode(vae, LatentInput(vae, "z", config), config));

    private static Value PictureInput(Scope vae, AutoencoderKlConfig config) => vae.Graph.Input("x", [Dim.Symbol("batch"), config.InChannels, Dim.Symbol("height"), Dim.Symbol("width")]);

    private static Value LatentInput(Scope vae, string name, AutoencoderKlConfig config, Value? like = null) =>
        vae.Graph.Input(name, like?.Shape ?? [Dim.Symbol("batch"), config.LatentChannels, Dim.Symbol("rows"), Dim.Symbol("columns")]);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<AutoencoderKlConfig>())));
}
