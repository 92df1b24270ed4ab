// Deep Compression Autoencoder for Efficient High-Resolution Diffusion Models. Chen, Cai, Chen, Xie, Yang, Tang, Li, Lu, Han. arXiv:2410.10733. github.com/mit-han-lab/efficientvit
// Published layout: diffusers AutoencoderDC (config.json + diffusion_pytorch_model.safetensors). Deviations: attention is always computed in its linear form; where a picture has fewer places than a head has
// channels the library takes the quadratic one, which is equal. The network is ModelZoo.Networks.Autoencoders.AutoencoderDc, which diffusion models share.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>DC-AE: up to 64 times smaller along each side.</summary>
public static class DcAeModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/dc-ae",
            Paper = "Deep Compression Autoencoder for Efficient High-Resolution Diffusion Models",
            ArXiv = "2410.10733",
            Authors = ["Junyu Chen", "Han Cai", "Junsong Chen", "Enze Xie", "Shang Yang", "Haotian Tang", "Muyang Li", "Yao Lu", "Song Han"],
            Repository = "mit-han-lab/efficientvit",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["diffusers: config.json + diffusion_pytorch_model.safetensors"],
            Sizes =
            [
                new("mit-han-lab/dc-ae-f32c32-sana-1.0-diffusers", 312_250_275, []),
                new("mit-han-lab/dc-ae-f32c32-in-1.0-diffusers", 323_369_260, []),
                new("mit-han-lab/dc-ae-f64c128-in-1.0-diffusers", 676_908_940, []),
                new("mit-han-lab/dc-ae-f128c512-in-1.0-diffusers", 1_120_695_052, []),
            ],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(AutoencoderDcConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode"] = vae => vae.Graph.Output("latent", AutoencoderDc.Encode(vae["encoder"], Pictures(vae, config), config)),
            ["decode"] = vae => vae.Graph.Output("reconstruction", AutoencoderDc.Decode(vae["decoder"], vae.Latents("z", config.LatentChannels), config)),
        },
        Preparation = ImagePreparation.SignedRange(0, config.Downsampling),
        Encode = TokenizerPlan.EncodeWith("encode", "x", "latent"),
        Decode = TokenizerPlan.DecodeWith("decode", "z", "reconstruction"),
    };

    // Sides are multiples of the compression: pixels fold into channels without a rest.
    private static Value Pictures(Scope vae, AutoencoderDcConfig config) =>
        vae.Graph.Input("x", [TokenizerInputs.Batch, config.InChannels, Dim.Symbol("rows") * config.Downsampling, Dim.Symbol("columns") * config.Downsampling]);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<AutoencoderDcConfig>())));
}
