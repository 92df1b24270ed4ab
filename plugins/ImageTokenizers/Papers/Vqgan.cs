// Taming Transformers for High-Resolution Image Synthesis. Esser, Rombach, Ommer. arXiv:2012.09841. github.com/CompVis/taming-transformers
// Published layout: config.yaml (model.yaml) + last.ckpt (key state_dict). Deviations: none; the Gumbel quantizer is not here.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Section <c>model.params</c> of the published file.</summary>
public sealed record VqganConfig
{
    /// <summary>Width of a code.</summary>
    [Range(1, 4096)] public int EmbedDim { get; init; } = 256;
    /// <summary>Entries of the codebook.</summary>
    [Range(1, 1 << 24)] public int NEmbed { get; init; } = 1024;
    /// <summary>Encoder and decoder.</summary>
    public LdmAutoencoderConfig Ddconfig { get; init; } = new();
}

/// <summary>VQGAN: a picture as a grid of codes.</summary>
public static class VqganModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/vqgan",
            Paper = "Taming Transformers for High-Resolution Image Synthesis",
            ArXiv = "2012.09841",
            Authors = ["Patrick Esser", "Robin Rombach", "Björn Ommer"],
            Repository = "CompVis/taming-transformers",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.yaml + last.ckpt"],
            Sizes = [new("CompVis/taming-transformers: vqgan_imagenet_f16_1024", 72_141_699, []), new("CompVis/taming-transformers: vqgan_imagenet_f16_16384", 76_073_859, [])],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(VqganConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>> { ["encode"] = vqgan => Encode(vqgan, config), ["decode"] = vqgan => Decode(vqgan, config) },
        Preparation = ImagePreparation.SignedRange(config.Ddconfig.Resolution, config.Ddconfig.Downsampling),
        VocabularySizes = [config.NEmbed],
        Codebooks = ["quantize.embedding.weight"],
        TrainingOnly = [@"^loss\.", "^global_step$"],
        Encode = TokenizerPlan.EncodeWith("encode", "x", "codes"),
        Decode = TokenizerPlan.DecodeWith("decode", "codes", "reconstruction"),
    };

    private static void Encode(Scope vqgan, VqganConfig config)
    {
        var h = LdmAutoencoder.Encoder(vqgan["encoder"], vqgan.Pictures("x", config.Ddconfig.InChannels), config.Ddconfig);
        var latent = vqgan.Stage("latent", vqgan["quant_conv"].Conv(h, config.EmbedDim, 1));
        var table = Table(vqgan, config);
        var codes = VectorQuantization.Nearest(latent.ChannelsLast(), table);                // (B, h, w)
        vqgan.Graph.Output("quantized", table.Gather(codes).ChannelsFirst());
        vqgan.Graph.Output("codes", codes);
    }

    private static void Decode(Scope vqgan, VqganConfig config)
    {
        var z = Table(vqgan, config).Gather(vqgan.CodeMap("codes")).ChannelsFirst();
        var h = vqgan.Stage("post_quant", vqgan["post_quant_conv"].Conv(z, config.Ddconfig.ZChannels, 1));
        vqgan.Graph.Output("reconstruction", LdmAutoencoder.Decoder(vqgan["decoder"], h, config.Ddconfig));
    }

    private static Value Table(Scope vqgan, VqganConfig config) => vqgan["quantize.embedding"].Weight("weight", config.NEmbed, config.EmbedDim);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<VqganConfig>("model.params")), copies: ["state_dict"]));
}
