// Autoregressive Image Generation without Vector Quantization. Li, Tian, Li, Deng, He. arXiv:2406.11838. github.com/LTH14/mar: the KL-16 autoencoder it publishes, in latent-diffusion's layout (arXiv:2112.10752).
// Published layout: kl16.ckpt (key model); sizes are constants of the authors' code. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The arguments of the authors' class, and the sizes that its code fixes.</summary>
public sealed record LdmKlConfig
{
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int EmbedDim { get; init; } = 16;
    /// <summary>Width of each level.</summary>
    public int[] ChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Width of the first level.</summary>
    public int Ch { get; init; } = 128;
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 2;
    /// <summary>Resolutions with attention.</summary>
    public int[] AttnResolutions { get; init; } = [16];
    /// <summary>Size of the pictures.</summary>
    public int Resolution { get; init; } = 256;
    /// <summary>Groups of the group norms.</summary>
    public int NormGroups { get; init; } = 32;

    /// <summary>The same as a <c>ddconfig</c>.</summary>
    public LdmAutoencoderConfig Ddconfig => new()
    {
        Ch = Ch, ChMult = ChMult, NumResBlocks = NumResBlocks, AttnResolutions = AttnResolutions, Resolution = Resolution, NormGroups = NormGroups, ZChannels = EmbedDim, DoubleZ = true, DecoderAttention = null,
    };
}

/// <summary>The KL-16 autoencoder of MAR.</summary>
public static class LdmKlModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/ldm-kl",
            Paper = "Autoregressive Image Generation without Vector Quantization",
            ArXiv = "2406.11838",
            Authors = ["Tianhong Li", "Yonglong Tian", "He Li", "Mingyang Deng", "Kaiming He"],
            Repository = "LTH14/mar",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: kl16.ckpt"],
            Sizes = [new("LTH14/mar: kl16", 66_456_019, [])],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(LdmKlConfig config) => LdmKl.Plan(config.Ddconfig, config.EmbedDim);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<LdmKlConfig>()), copies: ["model"]));
}
