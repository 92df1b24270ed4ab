// High-Resolution Image Synthesis with Latent Diffusion Models. Rombach, Blattmann, Lorenz, Esser, Ommer. arXiv:2112.10752; with spatial norms: MoVQ. Zheng, Vuong, Cai, Phung. arXiv:2209.09002.
// Published layout: diffusers VQModel (config.json + diffusion_pytorch_model.safetensors). Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The published <c>config.json</c> of <c>VQModel</c>.</summary>
public sealed record VqModelConfig : DiffusersAutoencoderConfig
{
    /// <summary>Settings of which only the latent's width differs from those of the other autoencoders.</summary>
    public VqModelConfig() => LatentChannels = 3;

    /// <summary>Entries of the codebook.</summary>
    [Range(1, 1 << 24)] public int NumVqEmbeddings { get; init; } = 256;
    /// <summary>Width of a code; null is that of the latent.</summary>
    public int? VqEmbedDim { get; init; }
    /// <summary>Whether the decoder's norms are modulated by the codes: <c>group</c> or <c>spatial</c>.</summary>
    [AllowedValues("group", "spatial")] public string NormType { get; init; } = "group";
    /// <summary>Whether pipelines hand ids to the decoder.</summary>
    public bool LookupFromCodebook { get; init; }
    /// <summary>Whether float16 was too narrow for it; this implementation computes in float32.</summary>
    public bool ForceUpcast { get; init; }

    /// <summary>Width of a code.</summary>
    public int CodeWidth => VqEmbedDim ?? LatentChannels;
}

/// <summary>Latent diffusion's quantized autoencoder.</summary>
public static class VqModelModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/vq-model",
            Paper = "High-Resolution Image Synthesis with Latent Diffusion Models",
            ArXiv = "2112.10752",
            Authors = ["Robin Rombach", "Andreas Blattmann", "Dominik Lorenz", "Patrick Esser", "Björn Ommer"],
            Repository = "huggingface/diffusers",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["diffusers: config.json + diffusion_pytorch_model.safetensors"],
            Sizes = [new("CompVis/ldm-celebahq-256: vqvae", 55_322_782, [])],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(VqModelConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode"] = model => Encode(model, config),
            ["decode"] = model => Decode(model, config, Entries(model, Codes(model, model.Latents("h", config.CodeWidth), config), config)),
            ["decode_as_given"] = model => Decode(model, config, model.Latents("h", config.CodeWidth)),
            ["decode_code"] = model => Decode(model, config, Entries(model, model.CodeMap("codes"), config)),
        },
        Calls = new Dictionary<string, ReferenceCall>
        {
            ["decode"] = async (networks, arguments, cancel) =>
                (await networks.RunAsync(arguments.Literal("force_not_quantize", false) ? "decode_as_given" : "decode", cancel, ("h", arguments.Tensor("h"))).ConfigureAwait(false)).ToResults(),
        },
        Preparation = ImagePreparation.SignedRange(0, config.Downsampling),
        VocabularySizes = [config.NumVqEmbeddings],
        Codebooks = ["quantize.embedding.weight"],
        Encode = TokenizerPlan.EncodeWith("encode", "x", "codes"),
        Decode = TokenizerPlan.DecodeWith("decode_code", "codes", "reconstruction"),
    };

    private static void Encode(Scope model, VqModelConfig config)
    {
        var h = DiffusersAutoencoder.Encoder(model["encoder"], model.Pictures("x", config.InChannels), config, config.LatentChannels);
        var latent = model["quant_conv"].Conv(h, config.CodeWidth, 1);
        var codes = Codes(model, latent, config);
        model.Graph.Output("latent", latent);
        model.Graph.Output("quantized", Entries(model, codes, config));
        model.Graph.Output("codes", codes);
    }

    private static void Decode(Scope model, VqModelConfig config, Value quantized)
    {
        var h = model["post_quant_conv"].Conv(quantized, config.LatentChannels, 1);
        model.Graph.Output("reconstruction", DiffusersAutoencoder.Decoder(model["decoder"], h, config, config.NormType == "spatial" ? quantized : null));
    }

    private static Value Codes(Scope model, Value latent, VqModelConfig config) => VectorQuantization.Nearest(latent.ChannelsLast(), Table(model, config));

    private static Value Entries(Scope model, Value codes, VqModelConfig config) => Table(model, config).Gather(codes).ChannelsFirst();

    private static Value Table(Scope model, VqModelConfig config) => model["quantize.embedding"].Weight("weight", config.NumVqEmbeddings, config.CodeWidth);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<VqModelConfig>())));
}
