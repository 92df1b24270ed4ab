// Moto: Latent Motion Token as the Bridging Language for Robot Manipulation. Chen, Ge, Tang, Li, Li, Ding, Wang, Shan, Liu. arXiv:2412.04445. github.com/TencentARC/Moto
// Published layout: latent_motion_tokenizer/ and moto_gpt/ (config.yaml + pytorch_model.bin each); the frozen encoders that the yaml names on the hub are folders beside them, vit-mae/ and t5/.
// Deviations: the hidden-state decoder, used in training alone, is left out; a mask_latent_motion_probability between 0 and 1 is a random choice of training and refused.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>transformers' <c>ViTConfig</c> and <c>ViTMAEConfig</c>, with what Moto adds.</summary>
public sealed record MotoVitConfig
{
    [Range(1, 65536)] public int HiddenSize { get; init; } = 768;
    [Range(1, 1024)] public int NumHiddenLayers { get; init; } = 12;
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 12;
    [Range(1, 262144)] public int IntermediateSize { get; init; } = 3072;
    [Range(1, 65536)] public int ImageSize { get; init; } = 224;
    [Range(1, 1024)] public int PatchSize { get; init; } = 16;
    [Range(1, 64)] public int NumChannels { get; init; } = 3;
    public double LayerNormEps { get; init; } = 1e-12;
    public string HiddenAct { get; init; } = "gelu";
    public bool QkvBias { get; init; } = true;
    [Range(1, 1024)] public int QueryNum { get; init; } = 8;
    [Range(1, 65536)] public int InputHiddenSize { get; init; } = 768;
    [Range(1, 1 << 20)] public int NumPatches { get; init; } = 197;
    [Range(1, 1024)] public int EncoderStride { get; init; } = 16;
    /// <summary>Whether both pictures have the first token type, as published.</summary>
    public bool Legacy { get; init; } = true;
    /// <summary><c>add</c> or <c>concat</c>.</summary>
    [AllowedValues("add", "concat")] public string QueryFusionMode { get; init; } = "add";
    public bool UseMaskToken { get; init; }
}

/// <summary><c>latent_motion_tokenizer/config.yaml</c>.</summary>
public sealed record MotoTokenizerConfig
{
    [Range(1, 65536)] public int CodebookDim { get; init; } = 32;
    public Part MFormer { get; init; } = new();
    public Part Decoder { get; init; } = new();
    public Quantizer VectorQuantizer { get; init; } = new();

    /// <summary>A part with its configuration.</summary>
    public sealed record Part
    {
        public MotoVitConfig Config { get; init; } = new();
    }

    /// <summary>The codebook.</summary>
    public sealed record Quantizer
    {
        [JsonPropertyName("n_e"), Range(1, 1 << 20)] public int Codes { get; init; } = 128;
        [Range(1, 65536)] public int EDim { get; init; } = 32;
    }
}

/// <summary><c>moto_gpt/config.yaml</c>.</summary>
public sealed record MotoGptConfig
{
    public Transformer ModelCausalTransformer { get; init; } = new();
    public Vision ModelVision { get; init; } = new();
    [Range(2, 1024)] public int ActDim { get; init; } = 7;
    [Range(1, 65536)] public int HiddenSize { get; init; } = 768;
    [Range(1, 1024)] public int SequenceLength { get; init; } = 2;
    [Range(1, 1024)] public int ChunkSize { get; init; } = 5;
    [Range(1, 1024)] public int PerLatentMotionLen { get; init; } = 8;
    [Range(1, 1 << 20)] public int LatentMotionCodebookSize { get; init; } = 128;
    public bool LatentMotionPred { get; init; } = true;
    public bool ActPred { get; init; } = true;
    [Range(0.0, 1.0)] public double MaskLatentMotionProbability { get; init; }
    public bool PredDiscreteArmAction { get; init; }
    public bool UseTimestepEmbedding { get; init; }
    public bool UseLatentMotionPosEmbedding { get; init; }

    /// <summary>Tokens of a step: the query and the motion, then the actions.</summary>
    internal int StepTokens => (LatentMotionPred ? 1 + PerLatentMotionLen : 0) + (ActPred ? ChunkSize : 0);

    /// <summary>The causal transformer.</summary>
    public sealed record Transformer
    {
        public Gpt2 Config { get; init; } = new();
    }

    /// <summary>GPT-2 without positions.</summary>
    public sealed record Gpt2
    {
        [Range(1, 65536)] public int NEmbd { get; init; } = 768;
        [Range(1, 1024)] public int NLayer { get; init; } = 12;
        [Range(1, 1024)] public int NHead { get; init; } = 12;
        public int? NInner { get; init; }
        public string ActivationFunction { get; init; } = "relu";
        public double LayerNormEpsilon { get; init; } = 1e-5;
    }

    /// <summary>The picture's encoder.</summary>
    public sealed record Vision
    {
        public bool UseObsFeature { get; init; } = true;
    }
}

/// <summary>Options of imagining and acting.</summary>
public sealed record MotoOptions : ModelOptions
{
    /// <summary>Beams of the search over motion tokens.</summary>
    [Description("Width of the beam search over motion tokens; 1 is greedy.")]
    [Range(1, 64)]
    public int Beams { get; init; } = 1;

    /// <summary>Whether actions ignore the imagined motion.</summary>
    [Description("Predict actions without looking at the imagined motion, as in the authors' simulations.")]
    public bool ActionsAlone { get; init; }
}
