// Visual Autoregressive Modeling: Scalable Image Generation via Next-Scale Prediction. Tian, Jiang, Yuan, Peng, Wang. arXiv:2404.02905. github.com/FoundationVision/VAR: models/vqvae.py
using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Autoencoders;

/// <summary>The arguments of the authors' <c>VQVAE</c>, and the sizes that their code fixes.</summary>
public sealed record VarVqvaeConfig
{
    /// <summary>Entries of the codebook.</summary>
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 4096;
    /// <summary>Channels of the latent and of a code.</summary>
    [Range(1, 4096)] public int ZChannels { get; init; } = 32;
    /// <summary>Width of the first level.</summary>
    public int Ch { get; init; } = 160;
    /// <summary>Whether codes are compared by cosine.</summary>
    public bool UsingZnorm { get; init; }
    /// <summary>Kernel of the convolutions around the quantizer.</summary>
    public int QuantConvKs { get; init; } = 3;
    /// <summary>Share of the convolution in a scale's residual; 0 for none.</summary>
    public double QuantResi { get; init; } = 0.5;
    /// <summary>Convolutions that the scales share: 0 one a scale, 1 one for all.</summary>
    public int ShareQuantResi { get; init; } = 4;
    /// <summary>Places along each side, scale by scale.</summary>
    [MinLength(1)] public int[] VPatchNums { get; init; } = [1, 2, 3, 4, 5, 6, 8, 10, 13, 16];
    /// <summary>Width of each level.</summary>
    public int[] ChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 2;
    /// <summary>Groups of the group norms.</summary>
    public int NormGroups { get; init; } = 32;

    /// <summary>Encoder and decoder: attention stands at the deepest level.</summary>
    public LdmAutoencoderConfig Ddconfig => new() { Ch = Ch, ChMult = ChMult, NumResBlocks = NumResBlocks, NormGroups = NormGroups, ZChannels = ZChannels, Resolution = 1 << (ChMult.Length - 1), AttnResolutions = [1] };

    /// <summary>Sizes of the quantizer.</summary>
    public MultiScale Quantizer => new(VocabSize, ZChannels, VPatchNums, UsingZnorm) { ResidualShare = Math.Abs(QuantResi), SharedConvolutions = ShareQuantResi };

    /// <summary>Tokens a picture.</summary>
    public int Tokens => VPatchNums.Sum(side => side * side);
}

/// <summary>The decoder's side of VAR's tokenizer, which its generator shares.</summary>
public static class VarVqvae
{
    /// <summary>Picture within -1..1 of what all scales add up to; stage <c>post_quant</c>. sum (B, C, h, w) -> (B, 3, H, W).</summary>
    public static Value Decode(Scope vae, Value sum, VarVqvaeConfig config)
    {
        var h = vae.Stage("post_quant", vae["post_quant_conv"].Conv(sum, config.ZChannels, config.QuantConvKs, padding: config.QuantConvKs / 2));
        return LdmAutoencoder.Decoder(vae["decoder"], h, config.Ddconfig).Clip(-1, 1);
    }
}
