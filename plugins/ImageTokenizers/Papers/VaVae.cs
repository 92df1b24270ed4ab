// Reconstruction vs. Generation: Taming Optimization Dilemma in Latent Diffusion Models. Yao, Yang, Wang. arXiv:2501.01423. github.com/hustvl/LightningDiT
// Published layout: vavae-imagenet256-f16d32-dinov2.pt (key state_dict) + config.yaml, latent-diffusion's layout. Deviations: none.
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>VA-VAE: an autoencoder whose latents were aligned with a vision foundation model.</summary>
public static class VaVaeModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/va-vae",
            Paper = "Reconstruction vs. Generation: Taming Optimization Dilemma in Latent Diffusion Models",
            ArXiv = "2501.01423",
            Authors = ["Jingfeng Yao", "Bin Yang", "Xinggang Wang"],
            Repository = "hustvl/LightningDiT",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.yaml + vavae*.pt"],
            Sizes = [new("hustvl/vavae-imagenet256-f16d32-dinov2", 69_836_067, [])],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(VqganConfig config) => LdmKl.Plan(config.Ddconfig with { DoubleZ = true }, config.EmbedDim) with
    {
        TrainingOnly = [@"^loss\.", @"^foundation_model\.", @"^linear_proj\.", "^global_step$"],
        Calls = new Dictionary<string, ReferenceCall> { ["normalize_latent"] = NormalizeAsync },
    };

    // LightningDiT's statistics of latents: (z - mean) / std * multiplier, per channel.
    private static ValueTask<CallResults> NormalizeAsync(NetworkSet networks, CallArguments arguments, CancellationToken cancel)
    {
        var (z, mean, deviation) = (arguments.Tensor<float>("z"), arguments.Tensor<float>("mean"), arguments.Tensor<float>("std"));
        var multiplier = arguments.Literal("latent_multiplier", 1f);
        var result = Tensor.Zeros<float>(z.Shape);
        var (channels, places) = ((int)z.Shape[1], (int)(z.Shape[2] * z.Shape[3]));
        for (var i = 0; i < z.Length; i++)
        {
            var channel = i / places % channels;
            result.Span[i] = (z.Span[i] - mean.Span[channel]) / deviation.Span[channel] * multiplier;
        }

        return ValueTask.FromResult(new CallResults().Add("normalized", result));
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<VqganConfig>("model.params")), copies: ["state_dict"]));
}
