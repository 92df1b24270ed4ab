using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace ModelZoo.Plugins.Speech;

/// <summary>The published configuration (transformers' <c>MimiConfig</c>); defaults are those of kyutai/mimi.</summary>
public sealed record MimiConfig
{
    [Range(1, 768000)] public int SamplingRate { get; init; } = 24000;
    [Range(0.001, 768000)] public double? FrameRate { get; init; }
    [Range(1, 1)] public int AudioChannels { get; init; } = 1;
    [Range(1, 65536)] public int HiddenSize { get; init; } = 512;
    [Range(1, 4096)] public int NumFilters { get; init; } = 64;
    [Range(0, 64)] public int NumResidualLayers { get; init; } = 1;
    [Length(1, 16)] public int[] UpsamplingRatios { get; init; } = [8, 6, 5, 4];
    [Range(1, 1024)] public int KernelSize { get; init; } = 7;
    [Range(1, 1024)] public int LastKernelSize { get; init; } = 3;
    [Range(1, 1024)] public int ResidualKernelSize { get; init; } = 3;
    [Range(1, 64)] public int DilationGrowthRate { get; init; } = 2;
    public bool UseCausalConv { get; init; } = true;
    [AllowedValues("reflect", "constant", "replicate")] public string PadMode { get; init; } = "constant";
    [Range(1, 64)] public int Compress { get; init; } = 2;
    [Range(0.0, 1.0)] public double TrimRightRatio { get; init; } = 1;
    public bool UseConvShortcut { get; init; }
    [Range(2, 1 << 20)] public int CodebookSize { get; init; } = 2048;
    [Range(1, 65536)] public int CodebookDim { get; init; } = 256;
    [Range(1, 65536)] public int? VectorQuantizationHiddenDimension { get; init; }
    [Range(1, 256)] public int NumQuantizers { get; init; } = 32;
    [Range(1, 256)] public int NumSemanticQuantizers { get; init; } = 1;
    [Range(1, 65536)] public int UpsampleGroups { get; init; } = 512;
    [Range(0, 1024)] public int NumHiddenLayers { get; init; } = 8;
    [Range(1, 1 << 20)] public int IntermediateSize { get; init; } = 2048;
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 8;
    [Range(1, 1024)] public int NumKeyValueHeads { get; init; } = 8;
    [Range(1, 4096)] public int? HeadDim { get; init; }
    public bool AttentionBias { get; init; }
    public string HiddenAct { get; init; } = "gelu";
    public double NormEps { get; init; } = 1e-5;
    public double RopeTheta { get; init; } = 10000;
    public MimiRope? RopeParameters { get; init; }
    [Range(1, 1 << 30)] public int? SlidingWindow { get; init; } = 250;
    public bool UseStreaming { get; init; }

    /// <summary>Rotary pairs are neighbours, and sound is followed by zeros to whole frames: kyutai's own code.</summary>
    internal bool Kyutai { get; init; }

    /// <summary>Width of an attention head.</summary>
    internal int HeadWidth => HeadDim ?? HiddenSize / NumAttentionHeads;

    /// <summary>Base of the rotary angles.</summary>
    internal double Theta => RopeParameters?.RopeTheta ?? RopeTheta;

    /// <summary>Width that codebooks search in.</summary>
    internal int QuantizerWidth => VectorQuantizationHiddenDimension ?? CodebookDim;

    /// <summary>Frames of the convolutions in a second.</summary>
    private double ConvolutionRate => Math.Ceiling((double)SamplingRate / SeaNet.HopLength);

    /// <summary>Frames of codes in a second; half of the convolutions' when nothing is said.</summary>
    private double CodeRate => FrameRate ?? (double)SamplingRate / (2 * SeaNet.HopLength);

    /// <summary>True when codes have another rate than the convolutions.</summary>
    internal bool ChangesRate => CodeRate != ConvolutionRate;

    /// <summary>Frames of the convolutions for each frame of codes.</summary>
    internal int LatentRatio => (int)(ConvolutionRate / CodeRate);

    /// <summary>Stride between the two rates. transformers' code has a constant here.</summary>
    internal int LatentStride => !ChangesRate ? 1 : Kyutai ? LatentRatio : 2;

    /// <summary>Samples of one frame of codes.</summary>
    internal int HopLength => SeaNet.HopLength * LatentStride;

    /// <summary>The convolutions.</summary>
    internal SeaNetSpec SeaNet => new()
    {
        Dimension = HiddenSize,
        Filters = NumFilters,
        Ratios = UpsamplingRatios,
        ResidualLayers = NumResidualLayers,
        KernelSize = KernelSize,
        LastKernelSize = LastKernelSize,
        ResidualKernelSize = ResidualKernelSize,
        DilationBase = DilationGrowthRate,
        Compress = Compress,
        ConvShortcut = UseConvShortcut,
        Causal = UseCausalConv,
        PadMode = PadMode,
        Norm = "none",
        TrimRightRatio = TrimRightRatio,
        WholeWindows = UseStreaming,
    };
}

/// <summary>Rotary positions in newer published configurations.</summary>
public sealed record MimiRope
{
    public double RopeTheta { get; init; } = 10000;
    [AllowedValues("default")] public string RopeType { get; init; } = "default";
}

/// <summary>Kyutai's own values (<c>_mimi_config</c> of the authors' loader), as sections.</summary>
public sealed record MoshiMimiConfig
{
    [Range(1, 768000)] public int SampleRate { get; init; } = 24000;
    [Range(0.001, 768000)] public double FrameRate { get; init; } = 12.5;
    public MoshiSeaNet Seanet { get; init; } = new();
    public MoshiQuantizer Quantizer { get; init; } = new();
    public MoshiTransformer Transformer { get; init; } = new();

    /// <summary>The same in transformers' names.</summary>
    internal MimiConfig ToMimi() => new()
    {
        Kyutai = true,
        SamplingRate = SampleRate,
        FrameRate = FrameRate,
        HiddenSize = Seanet.Dimension,
        NumFilters = Seanet.NFilters,
        NumResidualLayers = Seanet.NResidualLayers,
        UpsamplingRatios = Seanet.Ratios,
        KernelSize = Seanet.KernelSize,
        LastKernelSize = Seanet.LastKernelSize,
        ResidualKernelSize = Seanet.ResidualKernelSize,
        DilationGrowthRate = Seanet.DilationBase,
        UseCausalConv = Seanet.Causal,
        PadMode = Seanet.PadMode,
        Compress = Seanet.Compress,
        UseConvShortcut = !Seanet.TrueSkip,
        CodebookSize = Quantizer.Bins,
        CodebookDim = Quantizer.Dimension,
        NumQuantizers = Quantizer.NQ,
        UpsampleGroups = Seanet.Dimension,
        NumHiddenLayers = Transformer.NumLayers,
        IntermediateSize = Transformer.DimFeedforward,
        NumAttentionHeads = Transformer.NumHeads,
        NumKeyValueHeads = Transformer.NumHeads,
        HeadDim = Transformer.DModel / Transformer.NumHeads,
        RopeTheta = Transformer.MaxPeriod,
        SlidingWindow = Transformer.Context,
    };
}

/// <summary>Section <c>seanet</c>.</summary>
public sealed record MoshiSeaNet
{
    public int Dimension { get; init; } = 512;
    public bool Causal { get; init; } = true;
    public int NFilters { get; init; } = 64;
    public int NResidualLayers { get; init; } = 1;
    public int Compress { get; init; } = 2;
    public int DilationBase { get; init; } = 2;
    public int KernelSize { get; init; } = 7;
    public int ResidualKernelSize { get; init; } = 3;
    public int LastKernelSize { get; init; } = 3;
    [AllowedValues("none")] public string Norm { get; init; } = "none";
    public string PadMode { get; init; } = "constant";
    public int[] Ratios { get; init; } = [8, 6, 5, 4];
    public bool TrueSkip { get; init; } = true;
}

/// <summary>Section <c>quantizer</c>.</summary>
public sealed record MoshiQuantizer
{
    public int Dimension { get; init; } = 256;
    [JsonPropertyName("n_q")] public int NQ { get; init; } = 32;
    public int Bins { get; init; } = 2048;
}

/// <summary>Section <c>transformer</c>.</summary>
public sealed record MoshiTransformer
{
    public int DModel { get; init; } = 512;
    public int NumHeads { get; init; } = 8;
    public int NumLayers { get; init; } = 8;
    public int? Context { get; init; } = 250;
    public double MaxPeriod { get; init; } = 10000;
    [AllowedValues("none")] public string Gating { get; init; } = "none";
    [AllowedValues("layer_norm")] public string Norm { get; init; } = "layer_norm";
    [AllowedValues("rope")] public string PositionalEmbedding { get; init; } = "rope";
    public int DimFeedforward { get; init; } = 2048;
}
