// Diffusion Transformers with Representation Autoencoders. Zheng, Ma, Tong, Xie. arXiv:2510.11690. github.com/bytetriper/RAE
// Published layout: config.yaml (stage_1, stage_2), encoder/ (transformers Dinov2WithRegisters), decoder/ (ViT-MAE decoder), stat.pt, the DiT-DH's .pt. Deviations: none; the encoders are DINOv2 with registers, MAE and SigLIP 2.
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Plugins.DiffusionTransformers.LightningDiT;

namespace ModelZoo.Plugins.DiffusionTransformers.Rae;

/// <summary><c>stage_1.params</c>: the representation autoencoder.</summary>
public sealed record RaeConfig
{
    /// <summary>The authors' name of the encoder.</summary>
    [AllowedValues("Dinov2withNorm", "MAEwNorm", "SigLIP2wNorm")] public string EncoderCls { get; init; } = "Dinov2withNorm";
    /// <summary>Folder of the encoder's configuration and weights.</summary>
    public string EncoderConfigPath { get; init; } = "encoder";
    /// <summary>Height and width that pictures are resized to.</summary>
    [Range(1, 8192)] public int EncoderInputSize { get; init; } = 224;
    /// <summary>Height and width of a patch that is decoded.</summary>
    [Range(1, 256)] public int DecoderPatchSize { get; init; } = 16;
    /// <summary>Folder of the decoder's configuration.</summary>
    public string DecoderConfigPath { get; init; } = "decoder";
    /// <summary>File of the decoder's weights.</summary>
    public string PretrainedDecoderPath { get; init; } = "decoder/model.pt";
    /// <summary>File with mean and variance of latents; null when they are not normalised.</summary>
    public string? NormalizationStatPath { get; init; }
    /// <summary>Only pictures of latents are published, not rows of tokens.</summary>
    [JsonPropertyName("reshape_to_2d"), AllowedValues(true)] public bool ReshapeTo2d { get; init; } = true;
    /// <summary>Added to variances.</summary>
    public double Eps { get; init; } = 1e-5;
    /// <summary>Further arguments of the encoder.</summary>
    public RaeEncoderParams EncoderParams { get; init; } = new();
}

/// <summary>Arguments of the encoder.</summary>
public sealed record RaeEncoderParams
{
    /// <summary>True when the last norm's own weights are ignored.</summary>
    public bool Normalize { get; init; } = true;
}

/// <summary>Keys of transformers' Dinov2WithRegisters.</summary>
public sealed record DinoConfig
{
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 768;
    /// <summary>Number of layers.</summary>
    [Range(1, 1024)] public int NumHiddenLayers { get; init; } = 12;
    /// <summary>Number of heads.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 12;
    /// <summary>Width of the MLP over that of the tokens.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Size of the pictures that positions were learned for.</summary>
    [Range(1, 8192)] public int ImageSize { get; init; } = 518;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 14;
    /// <summary>Tokens beside the class and the patches.</summary>
    [Range(0, 256)] public int NumRegisterTokens { get; init; } = 4;
    /// <summary>True for a gated MLP (giant).</summary>
    public bool UseSwigluFfn { get; init; }
    /// <summary>Epsilon of the norms.</summary>
    public double LayerNormEps { get; init; } = 1e-6;
    /// <summary>Activation of plain MLPs.</summary>
    public string HiddenAct { get; init; } = "gelu";
    /// <summary>True when queries, keys and values have a bias.</summary>
    public bool QkvBias { get; init; } = true;
}

/// <summary>Keys of transformers' ViTMAE that its encoder has, and of the vision part of Siglip.</summary>
public sealed record RaeVisionConfig
{
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 768;
    /// <summary>Width of the MLP.</summary>
    [Range(1, 262144)] public int IntermediateSize { get; init; } = 3072;
    /// <summary>Number of layers.</summary>
    [Range(1, 1024)] public int NumHiddenLayers { get; init; } = 12;
    /// <summary>Number of heads.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 12;
    /// <summary>Size of the pictures that positions were learned for.</summary>
    [Range(1, 8192)] public int ImageSize { get; init; } = 224;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 16;
    /// <summary>Epsilon of the norms; 1e-12 of MAE's, 1e-6 of SigLIP's when left out.</summary>
    public double? LayerNormEps { get; init; }
    /// <summary>True when MAE's queries, keys and values have a bias.</summary>
    public bool QkvBias { get; init; } = true;
    /// <summary>Activation; exact GELU for MAE, its approximation for SigLIP when left out.</summary>
    public string? HiddenAct { get; init; }
}

/// <summary>Keys of transformers' ViTMAE that its decoder has.</summary>
public sealed record RaeDecoderConfig
{
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int DecoderHiddenSize { get; init; } = 512;
    /// <summary>Width of the MLP.</summary>
    [Range(1, 262144)] public int DecoderIntermediateSize { get; init; } = 2048;
    /// <summary>Number of heads.</summary>
    [Range(1, 1024)] public int DecoderNumAttentionHeads { get; init; } = 16;
    /// <summary>Number of layers.</summary>
    [Range(1, 1024)] public int DecoderNumHiddenLayers { get; init; } = 8;
    /// <summary>Epsilon of the norms.</summary>
    public double LayerNormEps { get; init; } = 1e-12;
    /// <summary>Activation of the MLPs.</summary>
    public string HiddenAct { get; init; } = "gelu";
    /// <summary>Channels of the picture.</summary>
    [Range(1, 64)] public int NumChannels { get; init; } = 3;
    /// <summary>True when queries, keys and values have a bias.</summary>
    public bool QkvBias { get; init; } = true;
}

/// <summary>Keys of the encoder's <c>preprocessor_config.json</c>.</summary>
public sealed record RaePreprocessor
{
    /// <summary>Mean of each channel.</summary>
    public float[] ImageMean { get; init; } = [0.485f, 0.456f, 0.406f];
    /// <summary>Standard deviation of each channel.</summary>
    public float[] ImageStd { get; init; } = [0.229f, 0.224f, 0.225f];
}

/// <summary><c>stage_2.params</c>: DiT-DH, a deep narrow encoder and a shallow wide head (section 5).</summary>
public sealed record DdtConfig
{
    /// <summary>Height and width of the latent.</summary>
    [Range(1, 4096)] public int InputSize { get; init; } = 1;
    /// <summary>Height and width of a patch, one number or one of encoder and head; only 1 is published.</summary>
    [JsonConverter(typeof(OneOrMany))] public int[] PatchSize { get; init; } = [1];
    /// <summary>Channels of the latent.</summary>
    [Range(1, 65536)] public int InChannels { get; init; } = 768;
    /// <summary>Widths of encoder and head.</summary>
    [Length(2, 2)] public int[] HiddenSize { get; init; } = [1152, 2048];
    /// <summary>Blocks of encoder and head.</summary>
    [Length(2, 2)] public int[] Depth { get; init; } = [28, 2];
    /// <summary>Heads of encoder and head, one number when they are the same.</summary>
    [Length(1, 2), JsonConverter(typeof(OneOrMany))] public int[] NumHeads { get; init; } = [16, 16];
    /// <summary>Width of the MLP over that of the tokens.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Share of labels dropped in training; above 0 there is a null class.</summary>
    public double ClassDropoutProb { get; init; } = 0.1;
    /// <summary>Number of classes; the null class comes after them.</summary>
    [Range(1, 1 << 20)] public int NumClasses { get; init; } = 1000;
    /// <summary>True when queries and keys are normalised.</summary>
    public bool UseQknorm { get; init; }
    /// <summary>True for gated MLPs.</summary>
    public bool UseSwiglu { get; init; } = true;
    /// <summary>True for rotary positions.</summary>
    public bool UseRope { get; init; } = true;
    /// <summary>True for RMS norms with weights.</summary>
    public bool UseRmsnorm { get; init; } = true;
    /// <summary>True for positions added to the encoder's tokens.</summary>
    public bool UsePosEmbed { get; init; } = true;

    internal long[] Sample => PatchSize.All(size => size == 1) ? [InChannels, InputSize, InputSize]
        : throw new ModelZooException(ErrorCodes.ConfigInvalid, "Only patches of one place are published.") { Where = "patch_size", Expected = "1", Found = string.Join(", ", PatchSize) };

    // How LightningDiT's blocks are set for both parts.
    internal LightningDiTConfig Blocks => new() { MlpRatio = MlpRatio, UseQknorm = UseQknorm, UseSwiglu = UseSwiglu, UseRope = UseRope, UseRmsnorm = UseRmsnorm };
}
