using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.Speech;

/// <summary>The published configuration (transformers' <c>EncodecConfig</c>); defaults are those of the 24 kHz model.</summary>
public sealed record EncodecConfig
{
    [Range(1, 768000)] public int SamplingRate { get; init; } = 24000;
    [Range(1, 64)] public int AudioChannels { get; init; } = 1;
    [Length(1, 64)] public double[] TargetBandwidths { get; init; } = [1.5, 3, 6, 12, 24];  // kbit/s
    public bool Normalize { get; init; }
    [Range(0.001, 3600)] public double? ChunkLengthS { get; init; }
    [Range(0, 0.99)] public double? Overlap { get; init; }
    [Range(1, 65536)] public int HiddenSize { get; init; } = 128;
    [Range(1, 4096)] public int NumFilters { get; init; } = 32;
    [Range(0, 64)] public int NumResidualLayers { get; init; } = 1;
    [Length(1, 16)] public int[] UpsamplingRatios { get; init; } = [8, 5, 4, 2];
    [AllowedValues("weight_norm", "time_group_norm")] public string NormType { get; init; } = "weight_norm";
    [Range(1, 1024)] public int KernelSize { get; init; } = 7;
    [Range(1, 1024)] public int LastKernelSize { get; init; } = 7;
    [Range(1, 1024)] public int ResidualKernelSize { get; init; } = 3;
    [Range(1, 64)] public int DilationGrowthRate { get; init; } = 2;
    public bool UseCausalConv { get; init; } = true;
    [AllowedValues("reflect", "constant", "replicate")] public string PadMode { get; init; } = "reflect";
    [Range(1, 64)] public int Compress { get; init; } = 2;
    [Range(0, 16)] public int NumLstmLayers { get; init; } = 2;
    [Range(0.0, 1.0)] public double TrimRightRatio { get; init; } = 1;
    [Range(2, 1 << 20)] public int CodebookSize { get; init; } = 1024;
    [Range(1, 65536)] public int? CodebookDim { get; init; }
    public bool UseConvShortcut { get; init; } = true;

    /// <summary>Samples of one frame: the product of the strides.</summary>
    public int HopLength => UpsamplingRatios.Aggregate(1, (product, ratio) => product * ratio);

    /// <summary>Frames per second.</summary>
    public int FrameRate => (SamplingRate + HopLength - 1) / HopLength;

    /// <summary>Bits per second of one codebook.</summary>
    public double CodebookRate => Math.Log2(CodebookSize) * FrameRate;

    /// <summary>Codebooks that the network holds: those of the largest bandwidth.</summary>
    public int NumQuantizers => (int)(1000 * TargetBandwidths[^1] / (FrameRate * Math.Ceiling(Math.Log2(CodebookSize))));

    /// <summary>Codebooks that a bandwidth in kbit/s pays for.</summary>
    public int QuantizersFor(double bandwidth) => Math.Clamp((int)Math.Floor(bandwidth * 1000 / CodebookRate), 1, NumQuantizers);

    /// <summary>Samples of a chunk; null when a recording is one chunk.</summary>
    public int? ChunkLength => ChunkLengthS is { } seconds ? (int)(seconds * SamplingRate) : null;

    /// <summary>Samples from the start of one chunk to that of the next.</summary>
    public int? ChunkStride => ChunkLength is { } length ? Math.Max(1, (int)((1 - (Overlap ?? 0)) * length)) : null;

    /// <summary>The networks that this describes.</summary>
    internal SeaNetSpec SeaNet => new()
    {
        AudioChannels = AudioChannels,
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
        Norm = NormType,
        LstmLayers = NumLstmLayers,
        TrimRightRatio = TrimRightRatio,
    };
}
