// Autoregressive Model Beats Diffusion: Llama for Scalable Image Generation. Sun, Jiang, Chen, Zhang, Peng, Luo, Yuan. arXiv:2406.06525. github.com/FoundationVision/LlamaGen
// Published layout: vq_ds16_c2i.pt (key model); sizes are arguments of the authors' class. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The authors' <c>ModelArgs</c>, and the sizes that their code fixes.</summary>
public sealed record LlamaGenVqConfig
{
    /// <summary>Entries of the codebook.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 16384;
    /// <summary>Width of a code.</summary>
    [Range(1, 4096)] public int CodebookEmbedDim { get; init; } = 8;
    /// <summary>Whether codes live on the unit sphere.</summary>
    public bool CodebookL2Norm { get; init; } = true;
    /// <summary>Width of each level of the encoder.</summary>
    public int[] EncoderChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Width of each level of the decoder.</summary>
    public int[] DecoderChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Channels of the latent.</summary>
    public int ZChannels { get; init; } = 256;
    /// <summary>Width of the first level.</summary>
    public int Ch { get; init; } = 128;
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 2;
    /// <summary>Groups of the group norms.</summary>
    public int NormGroups { get; init; } = 32;

    /// <summary>Encoder or decoder as a <c>ddconfig</c>: attention stands at the deepest level.</summary>
    public LdmAutoencoderConfig Ddconfig(int[] chMult) => new()
    {
        Ch = Ch, ChMult = chMult, NumResBlocks = NumResBlocks, NormGroups = NormGroups, ZChannels = ZChannels, Resolution = 1 << (chMult.Length - 1), AttnResolutions = [1],
    };
}

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
        },
        OpenAsync);

    /// <summary>The authors' names of levels under those of taming-transformers; the decoder stores the deepest level first.</summary>
    internal static KeyMap Keys(int decoderLevels) => new(
    [
        .. Enumerable.Range(0, decoderLevels).Select(i => ($@"^decoder\.conv_blocks\.{i}\.", (string?)$"decoder.up.{decoderLevels - 1 - i}.")),
        (@"^encoder\.conv_blocks\.", "encoder.down."), (@"^((?:en|de)coder\.(?:down|up)\.\d+)\.res\.", "$1.block."),
        (@"^((?:en|de)coder\.mid)\.0\.", "$1.block_1."), (@"^((?:en|de)coder\.mid)\.1\.", "$1.attn_1."), (@"^((?:en|de)coder\.mid)\.2\.", "$1.block_2."),
    ]);

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
        var (z, table) = (latent.ChannelsLast(), Table(model, config));
        var codes = VectorQuantization.Nearest(config.CodebookL2Norm ? z.L2Normalize() : z, table);
        model.Graph.Output("quantized", table.Gather(codes).ChannelsFirst());
        model.Graph.Output("codes", codes);
    }

    private static void Decode(Scope model, LlamaGenVqConfig config)
    {
        var z = Table(model, config).Gather(model.CodeMap("codes")).ChannelsFirst();
        var h = model.Stage("post_quant", model["post_quant_conv"].Conv(z, config.ZChannels, 1));
        model.Graph.Output("reconstruction", LdmAutoencoder.Decoder(model["decoder"], h, config.Ddconfig(config.DecoderChMult)));
    }

    private static Value Table(Scope model, LlamaGenVqConfig config)
    {
        var table = model["quantize.embedding"].Weight("weight", config.CodebookSize, config.CodebookEmbedDim);
        return config.CodebookL2Norm ? table.L2Normalize() : table;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = source.ReadConfig<LlamaGenVqConfig>();
        return ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(config), Keys(config.DecoderChMult.Length).Apply));
    }
}
