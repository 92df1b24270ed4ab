// PixArt-alpha: Fast Training of Diffusion Transformer for Photorealistic Text-to-Image Synthesis. Chen et al. arXiv:2310.00426. github.com/PixArt-alpha/PixArt-alpha
// PixArt-Sigma: Weak-to-Strong Training of Diffusion Transformer for 4K Text-to-Image Generation. Chen et al. arXiv:2403.04692. github.com/PixArt-alpha/PixArt-sigma
// Published layouts: PixArt-*-MS.pth (state_dict) with the constructor's arguments; diffusers PixArtTransformer2DModel. Deviations: none.
using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.DiffusionTransformers.PixArt;

/// <summary>The arguments of the authors' constructors, of both papers.</summary>
public sealed record PixArtConfig
{
    /// <summary>The authors' class: PixArtMS takes any size, PixArt one.</summary>
    public string Model { get; init; } = "PixArtMS";
    /// <summary>Height and width of the latent that positions are counted in.</summary>
    [Range(1, 4096)] public int InputSize { get; init; } = 32;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 2;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 4;
    /// <summary>Width of the tokens.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 1152;
    /// <summary>Number of blocks.</summary>
    [Range(1, 1024)] public int Depth { get; init; } = 28;
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int NumHeads { get; init; } = 16;
    /// <summary>Width of the MLP over that of the tokens.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>True when the variance is predicted, too.</summary>
    public bool PredSigma { get; init; } = true;
    /// <summary>Width of the text encoder's features.</summary>
    [Range(1, 65536)] public int CaptionChannels { get; init; } = 4096;
    /// <summary>By how much positions are pressed together (Sigma).</summary>
    public double? PeInterpolation { get; init; }
    /// <summary>The same under Alpha's name.</summary>
    public double? LeweiScale { get; init; }
    /// <summary>Tokens of a caption.</summary>
    [Range(1, 65536)] public int ModelMaxLength { get; init; } = 120;
    /// <summary>True when size and aspect ratio are conditions; when left out, whether the checkpoint has their embedders.</summary>
    public bool? MicroCondition { get; init; }
    /// <summary>True when queries and keys are normalised over all heads.</summary>
    public bool QkNorm { get; init; }
    /// <summary>Which layers shrink keys and values, and how (Sigma, section 3.3).</summary>
    public KvCompression? KvCompressConfig { get; init; }

    internal double PositionScale => PeInterpolation ?? LeweiScale ?? 1;

    internal int OutChannels => PredSigma ? 2 * InChannels : InChannels;
}

/// <summary>Compression of keys and values.</summary>
public sealed record KvCompression
{
    /// <summary>conv, ave, uniform, uniform_every, or none.</summary>
    [AllowedValues("conv", "ave", "uniform", "uniform_every", null)] public string? Sampling { get; init; }
    /// <summary>Factor in each dimension.</summary>
    [Range(1, 64)] public int ScaleFactor { get; init; } = 1;
    /// <summary>Numbers of the blocks that do it.</summary>
    public int[] KvCompressLayer { get; init; } = [];
}

/// <summary>Keys of diffusers' PixArtTransformer2DModel.</summary>
public sealed record DiffusersPixArtConfig
{
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 16;
    /// <summary>Width of a head.</summary>
    [Range(1, 4096)] public int AttentionHeadDim { get; init; } = 72;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 4;
    /// <summary>Channels predicted; as many as go in when left out.</summary>
    public int? OutChannels { get; init; } = 8;
    /// <summary>Number of blocks.</summary>
    [Range(1, 1024)] public int NumLayers { get; init; } = 28;
    /// <summary>Width of the text's tokens in cross-attention.</summary>
    public int? CrossAttentionDim { get; init; } = 1152;
    /// <summary>True when queries, keys and values have a bias.</summary>
    public bool AttentionBias { get; init; } = true;
    /// <summary>Height and width of the latent that positions are counted in.</summary>
    [Range(1, 4096)] public int SampleSize { get; init; } = 128;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 2;
    /// <summary>The MLP's activation.</summary>
    [AllowedValues("gelu-approximate", "gelu", "geglu", "geglu-approximate", "swiglu", "linear-silu")] public string ActivationFn { get; init; } = "gelu-approximate";
    /// <summary>Only adaLN-single is published.</summary>
    [AllowedValues("ada_norm_single")] public string NormType { get; init; } = "ada_norm_single";
    /// <summary>True when the norms have weights.</summary>
    public bool NormElementwiseAffine { get; init; }
    /// <summary>Epsilon of the norms.</summary>
    public double NormEps { get; init; } = 1e-6;
    /// <summary>By how much positions are pressed together; from the size when left out.</summary>
    public double? InterpolationScale { get; init; }
    /// <summary>True when size and aspect ratio are conditions; when left out, those of latents of 128.</summary>
    public bool? UseAdditionalConditions { get; init; }
    /// <summary>Width of the text encoder's features; null when they come projected.</summary>
    public int? CaptionChannels { get; init; }

    internal int Width => NumAttentionHeads * AttentionHeadDim;

    internal int Outputs => OutChannels ?? InChannels;

    internal double PositionScale => InterpolationScale ?? Math.Max(SampleSize / 64, 1);

    internal bool SizeConditions => UseAdditionalConditions ?? SampleSize == 128;
}
