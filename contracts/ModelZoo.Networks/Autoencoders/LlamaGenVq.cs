using System.ComponentModel.DataAnnotations;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Autoencoders;

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

/// <summary>LlamaGen's tokenizer (Sun et al., arXiv:2406.06525): taming-transformers' networks under other names, and a codebook of few channels.</summary>
public static class LlamaGenVq
{
    /// <summary>The authors' names of levels under those of taming-transformers; the decoder stores the deepest level first.</summary>
    public static KeyMap Keys(int decoderLevels) => new(
    [
        .. Enumerable.Range(0, decoderLevels).Select(i => ($@"^decoder\.conv_blocks\.{i}\.", (string?)$"decoder.up.{decoderLevels - 1 - i}.")),
        (@"^encoder\.conv_blocks\.", "encoder.down."), (@"^((?:en|de)coder\.(?:down|up)\.\d+)\.res\.", "$1.block."),
        (@"^((?:en|de)coder\.mid)\.0\.", "$1.block_1."), (@"^((?:en|de)coder\.mid)\.1\.", "$1.attn_1."), (@"^((?:en|de)coder\.mid)\.2\.", "$1.block_2."),
    ]);

    /// <summary>Codes to picture. codes (B, h, w), int64 -> (B, 3, h f, w f). Stage: <c>post_quant</c>.</summary>
    public static Value Decode(Scope model, Value codes, LlamaGenVqConfig config)
    {
        var h = model.Stage("post_quant", model["post_quant_conv"].Conv(Table(model, config).Gather(codes).ChannelsFirst(), config.ZChannels, 1));
        return LdmAutoencoder.Decoder(model["decoder"], h, config.Ddconfig(config.DecoderChMult));
    }

    /// <summary>The codebook, (K, C); on the unit sphere where codes live there.</summary>
    public static Value Table(Scope model, LlamaGenVqConfig config)
    {
        var table = model["quantize.embedding"].Weight("weight", config.CodebookSize, config.CodebookEmbedDim);
        return config.CodebookL2Norm ? table.L2Normalize() : table;
    }
}
