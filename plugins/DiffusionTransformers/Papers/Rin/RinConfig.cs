// Scalable Adaptive Computation for Iterative Generation. Jabri, Fleet, Chen. arXiv:2212.11972. github.com/google-research/pix2seq (architectures/tape.py)
// Published layout: the TensorFlow checkpoint's tensors under its keys (model/denoiser_ema/...) as safetensors, with the arguments of ImageTapeDenoiser as config.json. Deviations: a TensorFlow checkpoint itself is not read.
using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.DiffusionTransformers.Rin;

/// <summary>The arguments of the authors' ImageTapeDenoiser: a tape of patches and a few latents that read it and write it.</summary>
public sealed record RinConfig
{
    /// <summary>Latent layers between reading and writing, one number for each block.</summary>
    public string NumLayers { get; init; } = "4,4,4,4";
    /// <summary>Number of latents, those for time and class among them.</summary>
    [Range(1, 65536)] public int LatentSlots { get; init; } = 128;
    /// <summary>Width of the latents.</summary>
    [Range(1, 65536)] public int LatentDim { get; init; } = 768;
    /// <summary>Width of the latents' MLP over theirs.</summary>
    [Range(1, 64)] public int LatentMlpRatio { get; init; } = 4;
    /// <summary>Heads among latents.</summary>
    [Range(1, 1024)] public int LatentNumHeads { get; init; } = 16;
    /// <summary>Width of the tape.</summary>
    [Range(1, 65536)] public int TapeDim { get; init; } = 512;
    /// <summary>Width of the tape's MLP over its own; 0 for none.</summary>
    [Range(0, 64)] public int TapeMlpRatio { get; init; } = 4;
    /// <summary>Heads for reading and writing.</summary>
    [Range(1, 1024)] public int RwNumHeads { get; init; } = 8;
    /// <summary>Height of the picture.</summary>
    [Range(1, 4096)] public int ImageHeight { get; init; } = 64;
    /// <summary>Width of the picture.</summary>
    [Range(1, 4096)] public int ImageWidth { get; init; } = 64;
    /// <summary>Channels of the picture.</summary>
    [Range(1, 4096)] public int ImageChannels { get; init; } = 3;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 8;
    /// <summary>learned, sin_cos or sin_cos_plus_learned.</summary>
    [AllowedValues("learned", "sin_cos", "sin_cos_plus_learned")] public string LatentPosEncoding { get; init; } = "learned";
    /// <summary>learned, sin_cos or sin_cos_plus_learned.</summary>
    [AllowedValues("learned", "sin_cos", "sin_cos_plus_learned")] public string TapePosEncoding { get; init; } = "learned";
    /// <summary>Factor on gamma before its sinusoids.</summary>
    public float TimeScaling { get; init; } = 1e4f;
    /// <summary>What a step hands to the next: none, latent, tape or latent+tape.</summary>
    [AllowedValues("none", "latent", "tape", "latent+tape")] public string SelfCond { get; init; } = "none";
    /// <summary>True when time is one of the latents, else the tape holds it.</summary>
    public bool TimeOnLatent { get; init; }
    /// <summary>Latents for the class; 0 puts it on the tape.</summary>
    [Range(0, 1024)] public int CondOnLatentN { get; init; }
    /// <summary>True when time and class on the tape are written, too.</summary>
    public bool CondTapeWritable { get; init; }
    /// <summary>Width of time and class on the tape; 0 for the tape's.</summary>
    [Range(0, 65536)] public int CondDim { get; init; }
    /// <summary>True when time and class on the tape are read on their own, before the patches.</summary>
    public bool CondDecoupledRead { get; init; }
    /// <summary>Only mapped conditions are published.</summary>
    [AllowedValues(true)] public bool CondProj { get; init; } = true;
    /// <summary>Only 0 is published: no convolutions over the tape.</summary>
    [Range(0, 0)] public int ConvKernelSize { get; init; }
    /// <summary>True when what is read is normalized first.</summary>
    public bool XattnEncLn { get; init; }

    internal int[] Layers => [.. NumLayers.Split(',').Select(text => int.Parse(text))];

    internal int Rows => ImageHeight / PatchSize;

    internal int Columns => ImageWidth / PatchSize;

    internal int Condition => CondDim > 0 ? CondDim : TapeDim;

    internal bool CarriesLatents => SelfCond is "latent" or "latent+tape";

    internal bool CarriesTape => SelfCond is "tape" or "latent+tape";
}
