using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The published configuration, the vision transformer that it names, and what the authors' code fixes.</summary>
public sealed record IllumePlusConfig
{
    /// <summary>Section <c>config</c>.</summary>
    public IllumeSections Config { get; init; } = new();
    /// <summary>Qwen2-VL's vision transformer.</summary>
    public IllumeVision Qwen2vitConfig { get; init; } = new();
    /// <summary>Heads of the further blocks.</summary>
    public int BlocksNumHeads { get; init; } = 16;
    /// <summary>Groups of the group norms.</summary>
    public int NormGroups { get; init; } = 32;
}

/// <summary>Section <c>config</c>.</summary>
public sealed record IllumeSections
{
    /// <summary>Blocks after the vision transformer.</summary>
    public IllumeSemantic SemanticEncoder { get; init; } = new() { ProjLayer = "linear" };
    /// <summary>Codes of the semantic branch.</summary>
    public IllumeQuantizer SemanticQuantizer { get; init; } = new() { Dim = 32, CodebookSize = 32768 };
    /// <summary>From codes back to the vision transformer's features.</summary>
    public IllumeSemantic SemanticDecoder { get; init; } = new() { ProjLayer = "linear_norm" };
    /// <summary>The convolutional encoder.</summary>
    public IllumePixel PixelEncoder { get; init; } = new() { ZChannels = 32, EmbedDim = 32 };
    /// <summary>Codes of the pixel branch.</summary>
    public IllumeQuantizer PixelQuantizer { get; init; } = new() { Dim = 32, CodebookSize = 98304 };
    /// <summary>The convolutional decoder, which sees the codes of both.</summary>
    public IllumePixel PixelDecoder { get; init; } = new() { ZChannels = 64, EmbedDim = 64 };
    /// <summary>How the decoder sees the codes: both side by side, or those of pixels alone.</summary>
    [AllowedValues("cat", "pixel")] public string SemanticDetailMergeType { get; init; } = "cat";
}

/// <summary>A stack of blocks over semantic features.</summary>
public sealed record IllumeSemantic
{
    /// <summary>Width of a code.</summary>
    public int ZChannels { get; init; } = 32;
    /// <summary>Width of the blocks.</summary>
    public int EmbedDim { get; init; } = 1280;
    /// <summary>Blocks.</summary>
    public int NumBlocks { get; init; } = 4;
    /// <summary>The map at the end.</summary>
    [AllowedValues("linear", "norm_linear", "mlp", "linear_norm")] public string ProjLayer { get; init; } = "linear";
    /// <summary>Norm of the vision transformer's features.</summary>
    [AllowedValues("norm", "identity")] public string TargetMlp { get; init; } = "norm";
    /// <summary>Width of the features that the decoder gives.</summary>
    public int OutputChannels { get; init; } = 3584;
}

/// <summary>A quantizer.</summary>
public sealed record IllumeQuantizer
{
    /// <summary>Its kind.</summary>
    [AllowedValues("SimVQ")] public string Type { get; init; } = "SimVQ";
    /// <summary>Width of a code.</summary>
    [Range(1, 65536)] public int Dim { get; init; } = 32;
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 32768;
    /// <summary>Width of the frozen codes; that of the codes when left out.</summary>
    public int? FrozenCodebookDim { get; init; }
}

/// <summary>MoVQGAN's sizes.</summary>
public sealed record IllumePixel
{
    /// <summary>Width of the first level.</summary>
    public int Ch { get; init; } = 256;
    /// <summary>Levels, by number, with attention.</summary>
    public int[] AttnResolutions { get; init; } = [4];
    /// <summary>Width of each level.</summary>
    [MinLength(1)] public int[] ChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Residual blocks a level of the encoder; the decoder has one more.</summary>
    public int NumResBlocks { get; init; } = 2;
    /// <summary>Width of a code.</summary>
    public int EmbedDim { get; init; } = 4;
    /// <summary>Channels between quantizer and convolutions.</summary>
    public int ZChannels { get; init; } = 32;
    /// <summary>Whether twice as many channels leave the encoder.</summary>
    public bool DoubleZ { get; init; }
    /// <summary>Channels of the picture that goes in.</summary>
    public int InChannels { get; init; } = 3;
    /// <summary>Channels of the picture that comes out.</summary>
    public int OutChannels { get; init; } = 3;
    /// <summary>Whether levels change resolution by moving pixels to channels, beside a shortcut.</summary>
    public bool UseDcUpDownBlocks { get; init; }

    /// <summary>Pixels per place, along each side.</summary>
    public int Downsampling => 1 << (ChMult.Length - 1);
}

/// <summary>Qwen2-VL's vision transformer.</summary>
public sealed record IllumeVision
{
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 32;
    /// <summary>Width.</summary>
    public int EmbedDim { get; init; } = 1280;
    /// <summary>Width after merging.</summary>
    public int HiddenSize { get; init; } = 3584;
    /// <summary>Activation.</summary>
    public string HiddenAct { get; init; } = "quick_gelu";
    /// <summary>Width of the perceptrons, in units of the width.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Heads.</summary>
    public int NumHeads { get; init; } = 16;
    /// <summary>Channels of the picture.</summary>
    public int InChannels { get; init; } = 3;
    /// <summary>Pixels a patch.</summary>
    public int PatchSize { get; init; } = 14;
    /// <summary>Patches that merge, along each side.</summary>
    public int SpatialMergeSize { get; init; } = 2;
    /// <summary>Frames a patch.</summary>
    public int TemporalPatchSize { get; init; } = 2;
}
