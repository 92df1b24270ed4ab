// High-Resolution Image Synthesis with Latent Diffusion Models. Rombach, Blattmann, Lorenz, Esser, Ommer. arXiv:2112.10752; SDXL: Podell et al. arXiv:2307.01952. github.com/CompVis/latent-diffusion
// Published layouts: diffusers UNet2DConditionModel of Stable Diffusion 1, 2, XL and its refiner, of upscalers, unCLIP, latent consistency, DeepFloyd IF and Kandinsky, and UNet2DModel, which sees no text. Deviations: none; blocks that only other models use (K, Skip) are refused.
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Diffusion;

/// <summary>Keys of diffusers' UNet2DConditionModel and UNet2DModel.</summary>
public sealed record UNetConfig
{
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 4;
    /// <summary>Channels predicted.</summary>
    [Range(1, 4096)] public int OutChannels { get; init; } = 4;
    /// <summary>True when the input is in 0..1 and the network wants -1..1.</summary>
    public bool CenterInputSample { get; init; }
    /// <summary>True when cosines come first.</summary>
    public bool FlipSinToCos { get; init; } = true;
    /// <summary>Shift of the sinusoids' spacing.</summary>
    public double FreqShift { get; init; }
    /// <summary>Kinds of the levels on the way down.</summary>
    public string[] DownBlockTypes { get; init; } = ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"];
    /// <summary>Kind of the middle.</summary>
    [AllowedValues("UNetMidBlock2DCrossAttn", "UNetMidBlock2DSimpleCrossAttn", "UNetMidBlock2D", null)] public string? MidBlockType { get; init; } = "UNetMidBlock2DCrossAttn";
    /// <summary>Kinds of the levels on the way up.</summary>
    public string[] UpBlockTypes { get; init; } = ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"];
    /// <summary>Width of each level.</summary>
    [MinLength(1)] public int[] BlockOutChannels { get; init; } = [320, 640, 1280, 1280];
    /// <summary>Residual blocks of a level on the way down, one number or one a level; one more on the way up.</summary>
    public JsonElement LayersPerBlock { get; init; }
    /// <summary>Padding of the convolutions that sample down.</summary>
    public int DownsamplePadding { get; init; } = 1;
    /// <summary>What residual sums of the middle are divided by.</summary>
    public double MidBlockScaleFactor { get; init; } = 1;
    /// <summary>Activation.</summary>
    [AllowedValues("silu", "swish", "mish", "gelu", "relu")] public string ActFn { get; init; } = "silu";
    /// <summary>Groups of the group norms.</summary>
    [Range(1, 1024)] public int NormNumGroups { get; init; } = 32;
    /// <summary>Epsilon of the residual blocks' norms.</summary>
    public double NormEps { get; init; } = 1e-5;
    /// <summary>Width of the text's tokens, one number or one a level.</summary>
    public JsonElement CrossAttentionDim { get; init; }
    /// <summary>Transformer blocks of an attention layer, one number, one a level, or one for each layer of a level.</summary>
    public JsonElement TransformerLayersPerBlock { get; init; }
    /// <summary>The same on the way up, where it is not the reverse.</summary>
    public JsonElement? ReverseTransformerLayersPerBlock { get; init; }
    /// <summary>With text, the NUMBER of heads, as the library once named it; one number or one a level. Without, the width of a head; null is one head.</summary>
    public JsonElement AttentionHeadDim { get; init; }
    /// <summary>Without text: whether the middle has attention.</summary>
    public bool AddAttention { get; init; } = true;
    /// <summary>Without text: groups of the norm before the middle's attention; when left out, there is none where the time scales and shifts.</summary>
    public int? AttnNormNumGroups { get; init; }
    /// <summary>Width of the text encoder's tokens where they are mapped first.</summary>
    public int? EncoderHidDim { get; init; }
    /// <summary>True when maps around transformer blocks are linear, not convolutions.</summary>
    public bool UseLinearProjection { get; init; }
    /// <summary>Further conditions: text_time is SDXL's, text that of DeepFloyd's IF, text_image and image Kandinsky's.</summary>
    [AllowedValues("text_time", "text", "text_image", "image", null)] public string? AdditionEmbedType { get; init; }
    /// <summary>Width of the sinusoids of each of SDXL's sizes.</summary>
    public int? AdditionTimeEmbedDim { get; init; }
    /// <summary>Width of SDXL's further conditions.</summary>
    public int? ProjectionClassEmbeddingsInputDim { get; init; }
    /// <summary>How the time enters residual blocks.</summary>
    [AllowedValues("default", "scale_shift")] public string ResnetTimeScaleShift { get; init; } = "default";
    /// <summary>Width of the time's embedding, when it is not four times the first level's.</summary>
    public int? TimeEmbeddingDim { get; init; }
    /// <summary>Only sinusoids are published.</summary>
    [AllowedValues("positional")] public string TimeEmbeddingType { get; init; } = "positional";
    /// <summary>Kernel of the first convolution.</summary>
    [Range(1, 15)] public int ConvInKernel { get; init; } = 3;
    /// <summary>Kernel of the last convolution.</summary>
    [Range(1, 15)] public int ConvOutKernel { get; init; } = 3;
    /// <summary>Height and width of the latent it was trained on.</summary>
    public JsonElement? SampleSize { get; init; }

    /// <summary>Levels, counted on the way down, whose transformer blocks look at the text twice and never at themselves: one word or one a level (upscalers).</summary>
    public JsonElement OnlyCrossAttention { get; init; }
    /// <summary>How a class or another vector becomes part of the time: timestep, identity, projection or simple_projection; a table of classes when left out and <see cref="NumClassEmbeds"/> is given.</summary>
    [AllowedValues("timestep", "identity", "projection", "simple_projection", null)] public string? ClassEmbedType { get; init; }
    /// <summary>Number of classes in the table (levels of noise in upscalers).</summary>
    public int? NumClassEmbeds { get; init; }
    /// <summary>True when the class stands beside the time, not in it.</summary>
    public bool ClassEmbeddingsConcat { get; init; }
    /// <summary>Width of a further condition of the time: guidance, in latent consistency models.</summary>
    public int? TimeCondProjDim { get; init; }
    /// <summary>Activation after the time's embedding.</summary>
    public string? TimestepPostAct { get; init; }
    /// <summary>Activation after everything that is added to it.</summary>
    public string? TimeEmbeddingActFn { get; init; }

    /// <summary>Heads of the attention that makes one vector of a text.</summary>
    [Range(1, 1024)] public int AdditionEmbedTypeNumHeads { get; init; } = 64;
    /// <summary>What the network sees as text: its own map of it (text_proj), of a picture's features (image_proj), or of both.</summary>
    [AllowedValues(null, "text_proj", "text_image_proj", "image_proj")] public string? EncoderHidDimType { get; init; }

    // What follows acts in the blocks of DeepFloyd's IF and Kandinsky alone (Simple, Resnet).

    /// <summary>What residual sums are divided by.</summary>
    public double ResnetOutScaleFactor { get; init; } = 1;
    /// <summary>True when residual blocks see the time without an activation.</summary>
    public bool ResnetSkipTimeAct { get; init; }
    /// <summary>How the text is normalised before attention.</summary>
    [AllowedValues(null, "layer_norm", "group_norm")] public string? CrossAttentionNorm { get; init; }
    /// <summary>True when the middle looks only at the text; as the levels do when left out.</summary>
    public bool? MidBlockOnlyCrossAttention { get; init; }

    // What follows belongs to other models (Versatile Diffusion, GLIGEN), and would change the result without changing a weight's name: refused, not ignored.

    /// <summary>Refused: not part of latent diffusion.</summary>
    [AllowedValues(false)] public bool DualCrossAttention { get; init; }
    /// <summary>Refused: not part of latent diffusion.</summary>
    [AllowedValues("default")] public string AttentionType { get; init; } = "default";

    internal int Levels => BlockOutChannels.Length;

    /// <summary>Width of the time's embedding.</summary>
    public int TimeWidth => TimeEmbeddingDim ?? 4 * BlockOutChannels[0];

    internal int Heads(int level) => Of(AttentionHeadDim, level, 8);

    internal int HeadsOfWidth(int level, long width) => AttentionHeadDim.ValueKind == JsonValueKind.Null ? 1 : (int)width / Heads(level);

    internal int? MiddleAttentionGroups => AttnNormNumGroups ?? (ResnetTimeScaleShift == "default" ? NormNumGroups : null);

    internal int Layers(int level) => Of(LayersPerBlock, level, 2);

    internal int Depth(int level, int layer) => Of(Level(TransformerLayersPerBlock, level), layer, 1);

    // Counted from the deepest level.
    internal int UpDepth(int place, int layer) =>
        ReverseTransformerLayersPerBlock is { ValueKind: JsonValueKind.Array or JsonValueKind.Number } given ? Of(Level(given, place), layer, 1) : Depth(Levels - 1 - place, layer);

    internal bool MiddleLooksOnlyAtText => MidBlockOnlyCrossAttention ?? OnlyCrossAttention.ValueKind == JsonValueKind.True;

    // Where heads are as wide as the setting says. As published, the way up counts levels from the first, too.
    internal int HeadsOfSimple(int index, long width) => (int)width / Of(AttentionHeadDim, index, 8);

    internal bool LooksOnlyAtText(int level) => Level(OnlyCrossAttention, level).ValueKind == JsonValueKind.True;

    /// <summary>How the class comes in: a table, or what <see cref="ClassEmbedType"/> says; null where there is none.</summary>
    public string? ClassEmbedding => ClassEmbedType ?? (NumClassEmbeds is null ? null : "table");

    /// <summary>Height and width of the latent it was trained on, as one number; 64 when left out.</summary>
    public int Extent => Of(SampleSize ?? default, 0, 64);

    /// <summary>Width of the text that comes in.</summary>
    public int TextWidth => EncoderHidDim ?? Of(CrossAttentionDim, 0, 1280);

    /// <summary>Width of the text that attention sees.</summary>
    public int ContextWidth => Of(CrossAttentionDim, 0, 1280);

    private static JsonElement Level(JsonElement setting, int level) => setting.ValueKind == JsonValueKind.Array ? setting[level] : setting;

    private static int Of(JsonElement setting, int level, int otherwise) => setting.ValueKind switch
    {
        JsonValueKind.Number => setting.GetInt32(),
        JsonValueKind.Array => setting[level].ValueKind == JsonValueKind.Number ? setting[level].GetInt32() : throw new ModelZooException(ErrorCodes.ConfigInvalid, "A level's setting is one number.") { Found = setting[level].GetRawText() },
        _ => otherwise,
    };
}
