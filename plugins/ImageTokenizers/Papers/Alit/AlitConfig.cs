using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The published configurations of ALIT: model, tokenizer and base tokenizer.</summary>
public sealed record AlitConfig
{
    /// <summary>Widths.</summary>
    public AlitSizes Model { get; init; } = new();
    /// <summary>Tokens and rollouts.</summary>
    public AlitTokens Tokenizer { get; init; } = new();
    /// <summary>The tokenizer whose grid is distilled.</summary>
    public AlitBase BaseTokenizer { get; init; } = new();
    /// <summary>What the authors' code fixes.</summary>
    public AlitFixed Fixed { get; init; } = new();

    /// <summary>True when the base is a VQGAN; else it is a continuous autoencoder.</summary>
    public bool IsQuantizedBase => BaseTokenizer.Id == "vqgan";
    /// <summary>Width of a place of the base grid.</summary>
    public int BaseWidth => IsQuantizedBase ? BaseTokenizer.Params.EmbedDim : BaseTokenizer.EmbedDim;
    /// <summary>Places along each side; the base grid has as many.</summary>
    public int Grid => Tokenizer.ImgSize / Tokenizer.PatchSize;
    /// <summary>Most tokens.</summary>
    public int MostTokens => Tokenizer.NumInitLatentTokens * Tokenizer.MaxRolloutIters;
    /// <summary>Whether a map makes tokens of the encoder's output.</summary>
    public bool IsFactorized => Model.QuantizeLatent || Model.FactorizeLatent;
    /// <summary>Width of a token.</summary>
    public int TokenWidth => IsFactorized ? Tokenizer.VqTokenDim : Model.EncoderWidth;
    /// <summary>The continuous base as a <c>ddconfig</c>.</summary>
    public LdmAutoencoderConfig Vae => new()
    {
        Ch = Fixed.VaeCh, ChMult = Fixed.VaeChMult, NumResBlocks = Fixed.VaeNumResBlocks, NormGroups = Fixed.NormNumGroups, ZChannels = BaseTokenizer.EmbedDim, DoubleZ = true, AttnResolutions = [16], Resolution = 256,
    };
}

/// <summary>Widths, depths and heads.</summary>
public sealed record AlitSizes
{
    /// <summary>Width of the encoder.</summary>
    [Range(1, 8192)] public int EncoderWidth { get; init; } = 768;
    /// <summary>Blocks of the encoder.</summary>
    public int EncoderNumLayers { get; init; } = 12;
    /// <summary>Heads of the encoder.</summary>
    public int EncoderNumHeads { get; init; } = 12;
    /// <summary>Width of the decoder.</summary>
    public int DecoderWidth { get; init; } = 768;
    /// <summary>Blocks of the decoder.</summary>
    public int DecoderNumLayers { get; init; } = 12;
    /// <summary>Heads of the decoder.</summary>
    public int DecoderNumHeads { get; init; } = 12;
    /// <summary>Whether tokens are those of a codebook.</summary>
    public bool QuantizeLatent { get; init; } = true;
    /// <summary>Whether tokens are narrower than the encoder; those of a codebook always are.</summary>
    public bool FactorizeLatent { get; init; } = true;
}

/// <summary>Tokens and rollouts.</summary>
public sealed record AlitTokens
{
    /// <summary>Entries of the codebook.</summary>
    public int VqCodebookSize { get; init; } = 4096;
    /// <summary>Width of a token.</summary>
    public int VqTokenDim { get; init; } = 12;
    /// <summary>Whether codes are compared on the unit sphere.</summary>
    public bool VqUseL2Norm { get; init; } = true;
    /// <summary>Whether places that are drawn well are masked.</summary>
    public bool DynamicHalting { get; init; } = true;
    /// <summary>Least probability of a place that is masked.</summary>
    public double DynamicHaltingThreshold { get; init; } = 0.55;
    /// <summary>Size of the pictures.</summary>
    public int ImgSize { get; init; } = 256;
    /// <summary>Pixels a place.</summary>
    public int PatchSize { get; init; } = 16;
    /// <summary>Tokens that each rollout adds.</summary>
    public int NumInitLatentTokens { get; init; } = 32;
    /// <summary>Most rollouts.</summary>
    public int MaxRolloutIters { get; init; } = 8;
}

/// <summary>The base tokenizer.</summary>
public sealed record AlitBase
{
    /// <summary><c>vqgan</c> or <c>vae</c>.</summary>
    [AllowedValues("vqgan", "vae")] public string Id { get; init; } = "vqgan";
    /// <summary>Channels of the continuous latent.</summary>
    public int EmbedDim { get; init; } = 16;
    /// <summary>Sizes of the VQGAN.</summary>
    public VqganConfig Params { get; init; } = new();
}

/// <summary>What the authors' code fixes.</summary>
public sealed record AlitFixed
{
    /// <summary>Groups of the group norms.</summary>
    public int NormNumGroups { get; init; } = 32;
    /// <summary>Width of the continuous autoencoder.</summary>
    public int VaeCh { get; init; } = 128;
    /// <summary>Its residual blocks a level.</summary>
    public int VaeNumResBlocks { get; init; } = 2;
    /// <summary>Width of each of its levels.</summary>
    public int[] VaeChMult { get; init; } = [1, 1, 2, 2, 4];
}
