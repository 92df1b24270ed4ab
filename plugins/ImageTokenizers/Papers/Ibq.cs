// Scalable Image Tokenization with Index Backpropagation Quantization. Shi, Luo, Ge, Yang, Shan, Wang. arXiv:2412.02692. github.com/TencentARC/SEED-Voken
// Published layout: imagenet256_*.ckpt (key state_dict) + config.yaml, with moving averages. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Section <c>model.init_args</c> of the published file.</summary>
public sealed record IbqConfig
{
    /// <summary>Entries of the codebook.</summary>
    [Range(1, 1 << 24)] public int NEmbed { get; init; } = 16384;
    /// <summary>Width of a code.</summary>
    [Range(1, 4096)] public int EmbedDim { get; init; } = 256;
    /// <summary>Accepted and without effect, as in the authors' code: codes are always compared by their dot product.</summary>
    public bool L2Normalize { get; init; }
    /// <summary>Whether the file holds moving averages.</summary>
    public bool UseEma { get; init; }
    /// <summary>Encoder and decoder.</summary>
    public LdmAutoencoderConfig Ddconfig { get; init; } = new();
}

/// <summary>IBQ: VQGAN with a large codebook, searched by dot product.</summary>
public static class IbqModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/ibq",
            Paper = "Scalable Image Tokenization with Index Backpropagation Quantization",
            ArXiv = "2412.02692",
            Authors = ["Fengyuan Shi", "Zhuoyan Luo", "Yixiao Ge", "Yujiu Yang", "Ying Shan", "Limin Wang"],
            Repository = "TencentARC/SEED-Voken",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.yaml + *.ckpt"],
            Sizes =
            [
                new("TencentARC/IBQ-Tokenizer-1024", 107_049_859, []),
                new("TencentARC/IBQ-Tokenizer-8192", 108_884_867, []),
                new("TencentARC/IBQ-Tokenizer-16384", 110_982_019, []),
                new("TencentARC/IBQ-Tokenizer-262144", 173_896_579, []),
            ],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(IbqConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode"] = ibq => Encode(ibq, config),
            ["decode"] = ibq => Decode(ibq, config, ibq.Latents("quant", config.EmbedDim)),
            ["decode_codes"] = ibq => Decode(ibq, config, Table(ibq, config).Gather(ibq.CodeMap("codes")).ChannelsFirst()),
        },
        Preparation = ImagePreparation.SignedRange(config.Ddconfig.Resolution, config.Ddconfig.Downsampling),
        VocabularySizes = [config.NEmbed],
        Codebooks = ["quantize.embedding.weight"],
        TrainingOnly = [@"^loss\.", "^global_step$", EmaWeights.Counters],
        Encode = TokenizerPlan.EncodeWith("encode", "x", "codes"),
        Decode = TokenizerPlan.DecodeWith("decode_codes", "codes", "reconstruction"),
    };

    private static void Encode(Scope ibq, IbqConfig config)
    {
        var h = LdmAutoencoder.Encoder(ibq["encoder"], ibq.Pictures("x", config.Ddconfig.InChannels), config.Ddconfig);
        var latent = ibq.Stage("latent", ibq["quant_conv"].Conv(h, config.EmbedDim, 1));
        var (z, table) = (latent.ChannelsLast(), Table(ibq, config));
        var logits = z.MatMul(table.Swap(0, 1));                                           // (B, h, w, K)
        ibq.Stage("code_logits", logits.ChannelsFirst());
        var codes = logits.ArgMax(-1);
        ibq.Graph.Output("quantized", table.Gather(codes).ChannelsFirst());
        ibq.Graph.Output("codes", codes);
    }

    private static void Decode(Scope ibq, IbqConfig config, Value quantized) =>
        ibq.Graph.Output("reconstruction", LdmAutoencoder.Decoder(ibq["decoder"], ibq["post_quant_conv"].Conv(quantized, config.Ddconfig.ZChannels, 1), config.Ddconfig));

    private static Value Table(Scope ibq, IbqConfig config) => ibq["quantize.embedding"].Weight("weight", config.NEmbed, config.EmbedDim);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<IbqConfig>("model.init_args")), checkpoint => new EmaWeights(checkpoint), copies: ["state_dict"]));
}
