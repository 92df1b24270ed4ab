// MaskBit: Embedding-free Image Generation via Bit Tokens. Weber, Yu, Yu, Deng, Shen, Cremers, Chen. arXiv:2409.16211. github.com/markweberdev/maskbit
// Published layout: config.yaml + tokenizer.bin. Deviations: none.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>MaskBit's VQGAN+: convolutions without attention, tokens that are bits.</summary>
public static class MaskBitModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/maskbit",
            Paper = "MaskBit: Embedding-free Image Generation via Bit Tokens",
            ArXiv = "2409.16211",
            Authors = ["Mark Weber", "Lijun Yu", "Qihang Yu", "Xueqing Deng", "Xiaohui Shen", "Daniel Cremers", "Liang-Chieh Chen"],
            Repository = "markweberdev/maskbit",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.yaml + tokenizer.bin"],
            Sizes =
            [
                new("markweber/maskbit_tokenizer_10bit", 54_469_005, []),
                new("markweber/maskbit_tokenizer_12bit", 54_479_247, []),
                new("markweber/maskbit_tokenizer_14bit", 54_489_489, []),
                new("markweber/maskbit_tokenizer_16bit", 54_499_731, []),
                new("markweber/maskbit_tokenizer_18bit", 54_509_973, []),
            ],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(MaskBitConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode"] = model => Encode(model, config),
            ["decode"] = model => model.Graph.Output("reconstruction", MaskBitAutoencoder.Decoder(model["decoder"], model.Latents("z_quantized", config.TokenSize), config)),
            ["decode_tokens"] = model => model.Graph.Output("reconstruction", MaskBitAutoencoder.Decoder(model["decoder"], MaskBitAutoencoder.Entries(model, model.CodeMap("tokens"), config).ChannelsFirst(), config)),
        },
        Preparation = ImagePreparation.UnitRange(0, 1 << (config.NumResolutions - 1)),
        VocabularySizes = [config.QuantizerType == "lookup-free" ? 1 << config.TokenSize : config.CodebookSize],
        Codebooks = config.QuantizerType == "lookup" ? ["quantize.embedding.weight"] : [],
        TrainingOnly = [@"^quantize\.(bits_to_indices|codebook)$"],
        Encode = TokenizerPlan.EncodeWith("encode", "x", "codes"),
        Decode = TokenizerPlan.DecodeWith("decode_tokens", "tokens", "reconstruction"),
    };

    private static void Encode(Scope model, MaskBitConfig config)
    {
        var latent = model.Stage("latent", MaskBitAutoencoder.Encoder(model["encoder"], model.Pictures("x", config.NumChannels), config));
        var z = latent.ChannelsLast();
        var codes = config.QuantizerType == "lookup-free" ? LookupFree.Ids(LookupFree.Signs(z)) : VectorQuantization.Nearest(config.UseL2Normalisation ? z.L2Normalize() : z, MaskBitAutoencoder.Table(model, config));
        model.Graph.Output("quantized", MaskBitAutoencoder.Entries(model, codes, config).ChannelsFirst());
        model.Graph.Output("codes", codes);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<MaskBitConfig>("model.vq_model"))));
}
