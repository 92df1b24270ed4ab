// Scalable Diffusion Models with Transformers. Peebles, Xie. arXiv:2212.09748. github.com/facebookresearch/DiT
// Published layouts: DiT-XL-2-256x256.pt (state dict, or train.py's {model, ema, args}); diffusers DiTTransformer2DModel. Deviations: none.
using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.DiffusionTransformers.DiT;

/// <summary>Table 1 of the paper; the arguments of the authors' constructor, which descendants of the code extend.</summary>
public record DiTConfig
{
    /// <summary>Height and width of the latent.</summary>
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
    /// <summary>Share of labels dropped in training; above 0 there is a null class.</summary>
    public double ClassDropoutProb { get; init; } = 0.1;
    /// <summary>Number of classes; the null class comes after them.</summary>
    [Range(1, 1 << 20)] public int NumClasses { get; init; } = 1000;
    /// <summary>True when the variance is predicted, too.</summary>
    public bool LearnSigma { get; init; } = true;

    internal long[] Sample => [InChannels, InputSize, InputSize];

    internal int Rows => InputSize / PatchSize;

    internal int OutChannels => LearnSigma ? 2 * InChannels : InChannels;

    internal int Classes => NumClasses + (ClassDropoutProb > 0 ? 1 : 0);

    internal long MlpWidth => (long)(HiddenSize * MlpRatio);
}
