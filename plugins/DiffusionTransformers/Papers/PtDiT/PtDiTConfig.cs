// Qihoo-T2X: An Efficiency-Focused Diffusion Transformer via Proxy Tokens for Text-to-Any-Task. Jing Wang, Ao Ma, Jiasong Feng, Dawei Leng, Yuhui Yin, Xiaodan Liang. arXiv:2409.04005. github.com/Ascend/MindSpeed-MM (examples/qihoo_t2x)
// Published layout: a .pt state dict and inference_model_*.json, with text_encoder and tokenizer (T5) and vae in folders beside it. Deviations: pictures alone, not videos; the autoencoder is one of diffusers' layouts, Open-Sora-Plan's own causal one is not read.
using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.DiffusionTransformers.PtDiT;

/// <summary>Keys of the section predictor.</summary>
public sealed record PtDiTConfig
{
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int NumHeads { get; init; } = 16;
    /// <summary>Width of a head.</summary>
    [Range(1, 4096)] public int HeadDim { get; init; } = 72;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 4;
    /// <summary>Channels predicted; as many as go in when left out.</summary>
    public int? OutChannels { get; init; }
    /// <summary>Number of blocks.</summary>
    [Range(0, 1024)] public int NumLayers { get; init; } = 28;
    /// <summary>Whether the maps of attention have biases.</summary>
    public bool AttentionBias { get; init; } = true;
    /// <summary>Height and width of the latent that the table of positions is for.</summary>
    [Range(1, 4096)] public int SampleSize { get; init; } = 64;
    /// <summary>Frames that the table of positions is for.</summary>
    [Range(1, 4096)] public int Frame { get; init; } = 1;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 2;
    /// <summary>Activation of the feed-forward blocks.</summary>
    [AllowedValues("gelu", "gelu-approximate", "geglu")] public string ActivationFn { get; init; } = "gelu-approximate";
    /// <summary>Only this one is published.</summary>
    [AllowedValues("ada_norm_single")] public string NormType { get; init; } = "ada_norm_single";
    /// <summary>Epsilon of the blocks' norms.</summary>
    public double NormEps { get; init; } = 1e-6;
    /// <summary>Only norms without weights are published.</summary>
    [AllowedValues(false)] public bool NormElementwiseAffine { get; init; }
    /// <summary>Width of the text's tokens.</summary>
    [Range(1, 65536)] public int CaptionChannels { get; init; } = 4096;
    /// <summary>Frames, rows and columns of a window, in tokens.</summary>
    [MinLength(3)] public int[] CompressRatios { get; init; } = [1, 8, 8];
    /// <summary>Frames, rows and columns that a proxy stands for.</summary>
    [MinLength(3)] public int[] ProxyCompressRatios { get; init; } = [1, 4, 4];
    /// <summary>Whether blocks have attention in shifted windows, too.</summary>
    public bool ShiftWindow { get; init; }

    internal int Width => NumHeads * HeadDim;

    internal int Outputs => OutChannels ?? InChannels;

    internal bool SizeConditions => SampleSize == 128;

    internal int Scale => Math.Max(SampleSize / 64, 1);

    /// <summary>Proxies of a window along each axis; one of the frames.</summary>
    internal int[] Proxies => [1, CompressRatios[1] / ProxyCompressRatios[1], CompressRatios[2] / ProxyCompressRatios[2]];
}

/// <summary>Keys of the file itself.</summary>
public sealed record PtDiTPublished
{
    /// <summary>Tokens of a text.</summary>
    [Range(1, 65536)] public int ModelMaxLength { get; init; } = 200;
    /// <summary>What is sampled.</summary>
    public PtDiTSampling PipelineConfig { get; init; } = new();
}

/// <summary>Keys of the section pipeline_config.</summary>
public sealed record PtDiTSampling
{
    /// <summary>Frames, height and width of what is sampled, in pixels; of the trained size when left out.</summary>
    public int[] InputSize { get; init; } = [];
}

/// <summary>Keys of the section diffusion.</summary>
public sealed record PtDiTDiffusionConfig
{
    /// <summary>Whether times are shifted towards the noise for larger pictures.</summary>
    public bool UseTimestepTransform { get; init; }
    /// <summary>Steps.</summary>
    [Range(1, 1000)] public int NumInferenceSteps { get; init; } = 50;
    /// <summary>Scale of guidance.</summary>
    public double CfgScale { get; init; } = 4.5;
}
