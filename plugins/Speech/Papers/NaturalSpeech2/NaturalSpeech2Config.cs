using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.Speech;

/// <summary>Section <c>model</c> of the published <c>ns2.json</c>; defaults are those of the authors' recipe.</summary>
public sealed record NaturalSpeech2Config
{
    [Range(1, 65536)] public int LatentDim { get; init; } = 128;
    public NaturalSpeech2Prior PriorEncoder { get; init; } = new();
    public NaturalSpeech2Diffusion Diffusion { get; init; } = new();
    public NaturalSpeech2Encoder PromptEncoder { get; init; } = new() { UseCln = false };
    public NaturalSpeech2Query QueryEmb { get; init; } = new();
}

/// <summary>What reads phones.</summary>
public sealed record NaturalSpeech2Prior
{
    [Range(1, 1 << 20)] public int VocabSize { get; init; } = 100;
    [Range(2, 65536)] public int PitchBinsNum { get; init; } = 512;
    public NaturalSpeech2Encoder Encoder { get; init; } = new();
    public NaturalSpeech2Predictor DurationPredictor { get; init; } = new();
    public NaturalSpeech2Predictor PitchPredictor { get; init; } = new() { KernelSize = 5 };
}

/// <summary>A transformer.</summary>
public sealed record NaturalSpeech2Encoder
{
    [Range(0, 1024)] public int EncoderLayer { get; init; } = 6;
    [Range(1, 65536)] public int EncoderHidden { get; init; } = 512;
    [Range(1, 1024)] public int EncoderHead { get; init; } = 8;
    [Range(1, 1 << 20)] public int ConvFilterSize { get; init; } = 2048;
    [Range(1, 1023)] public int ConvKernelSize { get; init; } = 9;
    public bool UseCln { get; init; } = true;
}

/// <summary>A predictor of durations or pitch.</summary>
public sealed record NaturalSpeech2Predictor
{
    [Range(1, 65536)] public int FilterSize { get; init; } = 512;
    [Range(1, 1023)] public int KernelSize { get; init; } = 3;
    [Range(1, 1024)] public int ConvLayers { get; init; } = 30;
    [Range(1, 1024)] public int CrossAttnPerLayer { get; init; } = 3;
    [Range(1, 1024)] public int AttnHead { get; init; } = 8;
}

/// <summary>The diffusion and its network.</summary>
public sealed record NaturalSpeech2Diffusion
{
    [AllowedValues("diffusion", "flow")] public string DiffusionType { get; init; } = "diffusion";
    public NaturalSpeech2WaveNet Wavenet { get; init; } = new();
    public double BetaMin { get; init; } = 0.05;
    public double BetaMax { get; init; } = 20;
    public double Sigma { get; init; } = 1;
    [AllowedValues("euler", "midpoint")] public string OdeSolver { get; init; } = "euler";
}

/// <summary>The network that takes noise away.</summary>
public sealed record NaturalSpeech2WaveNet
{
    [Range(1, 65536)] public int InputSize { get; init; } = 128;
    [Range(4, 65536)] public int HiddenSize { get; init; } = 512;
    [Range(1, 65536)] public int OutSize { get; init; } = 128;
    [Range(1, 1024)] public int NumLayers { get; init; } = 40;
    [Range(1, 1024)] public int CrossAttnPerLayer { get; init; } = 3;
    [Range(1, 32)] public int DilationCycle { get; init; } = 2;
    [Range(1, 1024)] public int AttnHead { get; init; } = 8;
}

/// <summary>The queries that gather a voice.</summary>
public sealed record NaturalSpeech2Query
{
    [Range(1, 4096)] public int QueryTokenNum { get; init; } = 32;
    [Range(1, 65536)] public int HiddenSize { get; init; } = 512;
    [Range(1, 1024)] public int HeadNum { get; init; } = 8;
}
