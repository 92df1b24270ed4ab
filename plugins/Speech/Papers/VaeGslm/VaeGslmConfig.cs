using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.Speech;

/// <summary>Section <c>model</c> of the published <c>hp.yaml</c>.</summary>
public sealed record VaeGslmConfig
{
    public VaeGslmTokens Tokens { get; init; } = new();
    [Range(2, 65536)] public int LatentDim { get; init; } = 64;
    public VaeGslmStack Encoder { get; init; } = new();
    public VaeGslmDecoder Decoder { get; init; } = new();
    public VaeGslmTransformer Transformer { get; init; } = new();
    public VaeGslmStack? UtteranceEncoder { get; init; }

    /// <summary>Width of what the decoder is conditioned on.</summary>
    internal int ConditionDim => Tokens.EmbeddingDim + (UtteranceEncoder?.EmbeddingDim ?? 0);
}

/// <summary>The semantic tokens.</summary>
public sealed record VaeGslmTokens
{
    [Range(1, 65536)] public int EmbeddingDim { get; init; } = 512;
    [Range(2, 1 << 20)] public int VocabSize { get; init; } = 200;
}

/// <summary>A stack of convolutions, with what only some of the stacks have.</summary>
public sealed record VaeGslmStack
{
    public string? Identifier { get; init; }
    [Range(1, 1024)] public int NumLayers { get; init; } = 1;
    [Length(1, 1024)] public int[] ResampleRates { get; init; } = [1];                               // below zero: fewer frames
    [Length(1, 1024)] public int[] ResampleKsize { get; init; } = [1];
    [Range(1, 65536)] public int InitChannel { get; init; } = 512;
    [Length(1, 1024)] public int[] OutChannels { get; init; } = [512];
    public int[] HiddenChannels { get; init; } = [];
    public bool FinalNorm { get; init; }
    public bool FirstNorm { get; init; }
    public VaeGslmLayer Layer { get; init; } = new();
    public VaeGslmLayer? UpwardLayer { get; init; }
    public int? ConditionDim { get; init; }
    public bool[]? Conditional { get; init; }
    public int?[]? SkipConnection { get; init; }
    public string? ConnectionType { get; init; }
    public int EmbeddingDim { get; init; } = 512;
    public double? FixStd { get; init; }
    public double[]? StdRange { get; init; }
    public double? TotalStd { get; init; }
    public bool Normalization { get; init; }
}

/// <summary>A layer of a stack.</summary>
public sealed record VaeGslmLayer
{
    [Range(1, 1024)] public int Boundary { get; init; } = 1024;
    public bool CausalPadding { get; init; }
    public bool FuturePadding { get; init; }
    [Range(1, 1023)] public int KernelSize { get; init; } = 5;
    public VaeGslmNorm Norm { get; init; } = new();
    public VaeGslmActivation Activation { get; init; } = new();
    [AllowedValues("film", "concat")] public string ConditionType { get; init; } = "film";
    public bool Shortcut { get; init; }
    public VaeGslmNorm? LayerScale { get; init; }
}

/// <summary>A norm by name.</summary>
public sealed record VaeGslmNorm
{
    [AllowedValues("InstanceNorm", "GroupNorm", "LayerNorm", "RMSNorm", "Identity")] public string Identifier { get; init; } = "InstanceNorm";
    public double Eps { get; init; } = 1e-6;
    [Range(1, 4096)] public int NumGroups { get; init; } = 1;
}

/// <summary>An activation by name.</summary>
public sealed record VaeGslmActivation
{
    [AllowedValues("ReLU", "SELU", "GELU", "SiLU", "LeakyRELU")] public string Identifier { get; init; } = "ReLU";
    public double Slope { get; init; } = 0.01;
}

/// <summary>The diffusion decoder.</summary>
public sealed record VaeGslmDecoder
{
    public VaeGslmDiffusion Diffusion { get; init; } = new();
    public VaeGslmUnet CondUnet { get; init; } = new();
}

/// <summary>The diffusion.</summary>
public sealed record VaeGslmDiffusion
{
    [AllowedValues("ConditionalBottleNeckUNet")] public string Identifier { get; init; } = "ConditionalBottleNeckUNet";
    [Range(1, 100000)] public int Timesteps { get; init; } = 1000;
    [Range(1, 100000)] public int? SamplingTimesteps { get; init; }
    public double InputScale { get; init; } = 1;
    [AllowedValues("pred_noise", "pred_x0")] public string Objective { get; init; } = "pred_noise";
    [Length(2, 2)] public double[] ClampRange { get; init; } = [-1, 1];
    public double DdimSamplingEta { get; init; } = 1;
    public VaeGslmSchedule BetaSchedule { get; init; } = new();
}

/// <summary>How noise grows.</summary>
public sealed record VaeGslmSchedule
{
    [AllowedValues("linear", "scaled_linear", "cosine")] public string Identifier { get; init; } = "cosine";
    public double S { get; init; } = 0.008;
    public double BetaStart { get; init; } = 0.0015;
    public double BetaEnd { get; init; } = 0.0195;
}

/// <summary>The network of the diffusion.</summary>
public sealed record VaeGslmUnet
{
    public VaeGslmStack Unet { get; init; } = new();
    public VaeGslmTime TimeEmbedding { get; init; } = new();
}

/// <summary>How a time becomes a vector.</summary>
public sealed record VaeGslmTime
{
    [Range(2, 65536)] public int Dim { get; init; } = 512;
    public bool Bias { get; init; } = true;
    public VaeGslmActivation Activation { get; init; } = new() { Identifier = "SiLU" };
}

/// <summary>The language model.</summary>
public sealed record VaeGslmTransformer
{
    public bool Bias { get; init; } = true;
    public VaeGslmPositions? Rpe { get; init; }
    [Range(1, 1024)] public int NumLayers { get; init; } = 12;
    public VaeGslmTransformerLayer Layer { get; init; } = new();
    public VaeGslmFlow? Flow { get; init; }
    public bool FinalLn { get; init; } = true;
    public bool FirstLn { get; init; }
    public double? FixStd { get; init; }
    public double? FixMean { get; init; }
    public double[]? StdRange { get; init; }
}

/// <summary>Positions.</summary>
public sealed record VaeGslmPositions
{
    [AllowedValues("ALiBi", "T5RPE")] public string Identifier { get; init; } = "ALiBi";
    public bool Bidirectional { get; init; }                                                         // T5's
    [Range(2, 65536)] public int NumBuckets { get; init; } = 32;
    [Range(2, 1 << 20)] public int MaxDistance { get; init; } = 128;
}

/// <summary>A block of the language model.</summary>
public sealed record VaeGslmTransformerLayer
{
    [Range(1, 1 << 20)] public int FfdSize { get; init; } = 2048;
    [Range(1, 65536)] public int Dim { get; init; } = 512;
    public bool Bias { get; init; } = true;
    public bool Preln { get; init; } = true;
    public VaeGslmNorm Norm { get; init; } = new() { Identifier = "RMSNorm" };
    public VaeGslmActivation Activation { get; init; } = new() { Identifier = "GELU" };
    public VaeGslmAttention SelfAttn { get; init; } = new();
}

/// <summary>Attention.</summary>
public sealed record VaeGslmAttention
{
    [Range(1, 1024)] public int Nheads { get; init; } = 8;
    public bool Causal { get; init; } = true;
    public bool? Bias { get; init; }
}

/// <summary>The flow between the latents and the language model's Gaussian.</summary>
public sealed record VaeGslmFlow
{
    [AllowedValues("LinearCoupling")] public string Identifier { get; init; } = "LinearCoupling";
    [Range(2, 1024)] public int NumLayers { get; init; } = 2;
    public bool Conditional { get; init; }
    public VaeGslmCoupling Layer { get; init; } = new();
}

/// <summary>A coupling layer.</summary>
public sealed record VaeGslmCoupling
{
    [Range(1, 65536)] public int HiddenDim { get; init; } = 512;
    public bool Bias { get; init; } = true;
    public bool MeanOnly { get; init; }
    public double[]? ScaleRange { get; init; }
    public VaeGslmNorm Norm { get; init; } = new() { Identifier = "LayerNorm" };
    public VaeGslmActivation Activation { get; init; } = new() { Identifier = "GELU" };
}
