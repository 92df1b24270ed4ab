// Autoregressive Model Beats Diffusion: Llama for Scalable Image Generation. Sun, Jiang, Chen, Zhang, Peng, Luo, Yuan. arXiv:2406.06525. github.com/FoundationVision/LlamaGen
// Published layout: vq_ds16_c2i.pt (key model); sizes are arguments of the authors' class. Deviations: none.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>LlamaGen's tokenizer.</summary>
public static class LlamaGenVqModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/llamagen-vq",
            Paper = "Autoregressive Model Beats Diffusion: Llama for Scalable Image Generation",
            ArXiv = "2406.06525",
            Authors = ["Peize Sun", "Yi Jiang", "Shoufa Chen", "Shilong Zhang", "Bingyue Peng", "Ping Luo", "Zehuan Yuan"],
            Repository = "FoundationVision/LlamaGen",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: vq_ds*_*.pt"],
            Sizes = [new("FoundationVision/LlamaGen: vq_ds16_c2i", 71_883_403, []), new("FoundationVision/LlamaGen: vq_ds8_c2i", 70_109_835, [])],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(LlamaGenVqConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>> { ["encode"] = model => Encode(model, config), ["decode_code"] = model => Decode(model, config) },
        Preparation = ImagePreparation.SignedRange(0, 1 << (config.EncoderChMult.Length - 1)),
        VocabularySizes = [config.CodebookSize],
        Codebooks = ["quantize.embedding.weight"],
        TrainingOnly = [@"^quantize\.codebook_used$"],
        Encode = TokenizerPlan.EncodeWith("encode", "x", "codes"),
        Decode = TokenizerPlan.DecodeWith("decode_code", "codes", "reconstruction"),
    };

    private static void Encode(Scope model, LlamaGenVqConfig config)
    {
        var h = LdmAutoencoder.Encoder(model["encoder"], model.Pictures("x"), config.Ddconfig(config.EncoderChMult));
        var latent = model.Stage("latent", model["quant_conv"].Conv(h, config.CodebookEmbedDim, 1));
        var (z, table) = (latent.ChannelsLast(), LlamaGenVq.Table(model, config));
        var codes = VectorQuantization.Nearest(config.CodebookL2Norm ? z.L2Normalize() : z, table);
        model.Graph.Output("quantized", table.Gather(codes).ChannelsFirst());
        model.Graph.Output("codes", codes);
    }

    private static void Decode(Scope model, LlamaGenVqConfig config)
    {
        model.Graph.Output("reconstruction", LlamaGenVq.Decode(model, model.CodeMap("codes"), config));
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = source.ReadConfig<LlamaGenVqConfig>();
        return ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(config), LlamaGenVq.Keys(config.DecoderChMult.Length).Apply, copies: ["model"]));
    }
}
