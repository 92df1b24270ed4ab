using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The authors' yaml, what its names stand for, and the autoencoder's published configuration.</summary>
public sealed record SelftokConfig
{
    /// <summary>Section <c>tokenizer</c> of the yaml.</summary>
    public SelftokTokenizer Tokenizer { get; init; } = new();
    /// <summary>What the yaml's names of encoder and decoder stand for.</summary>
    public SelftokFixed Fixed { get; init; } = new();
    /// <summary>Stable Diffusion 3's autoencoder.</summary>
    public AutoencoderKlConfig Vae { get; init; } = new()
    {
        LatentChannels = 16, BlockOutChannels = [128, 256, 512, 512], LayersPerBlock = 2, SampleSize = 1024, ScalingFactor = 1.5305, ShiftFactor = 0.0609, UseQuantConv = false, UsePostQuantConv = false,
        DownBlockTypes = [.. Enumerable.Repeat("DownEncoderBlock2D", 4)], UpBlockTypes = [.. Enumerable.Repeat("UpDecoderBlock2D", 4)],
    };

    /// <summary>Places of the latent along each side at the published size.</summary>
    public int LatentSize => Tokenizer.Params.ImageSize / Vae.Downsampling;
}

/// <summary>Section <c>tokenizer</c>.</summary>
public sealed record SelftokTokenizer
{
    /// <summary>Section <c>params</c>.</summary>
    public SelftokParams Params { get; init; } = new();
}

/// <summary>Section <c>tokenizer.params</c>.</summary>
public sealed record SelftokParams
{
    /// <summary>Size of the pictures.</summary>
    [Range(8, 4096)] public int ImageSize { get; init; } = 256;
    /// <summary>Tokens a picture.</summary>
    [Range(1, 65536)] public int K { get; init; } = 512;
    /// <summary>Times, of 1000, at which the number of tokens a unit of time changes.</summary>
    public string? Stages { get; init; }
    /// <summary>Tokens between these times.</summary>
    public string? KPerStage { get; init; }
    /// <summary>Without stages: mean of the logit-normal distribution by which tokens are spread over time.</summary>
    [JsonPropertyName("k_m")] public double? KM { get; init; }
    /// <summary>Without stages: its deviation.</summary>
    [JsonPropertyName("k_s")] public double? KS { get; init; }
    /// <summary>Without stages: factor on the time.</summary>
    [JsonPropertyName("t2k")] public double T2K { get; init; } = 1;
    /// <summary>Channels of the latent.</summary>
    public int InChannels { get; init; } = 16;
    /// <summary>Width of a quantized token.</summary>
    public int EncoderHiddenSize { get; init; } = 16;
    /// <summary>Whether positions are cut out of a table twice as large.</summary>
    public bool EnableEncVariableSize { get; init; } = true;
    /// <summary>The flow.</summary>
    public SelftokSchedule NoiseScheduleConfig { get; init; } = new();
    /// <summary>Options of the encoder.</summary>
    public SelftokEncoderConfig EncoderConfig { get; init; } = new();
    /// <summary>The quantizer.</summary>
    public SelftokQuantizerConfig QuantizerConfig { get; init; } = new();
    /// <summary>Whether tokens look at the latent in the decoder.</summary>
    public bool ContextSeeXt { get; init; } = true;
    /// <summary>The decoder.</summary>
    public SelftokDecoderConfig DecoderConfig { get; init; } = new();
}

/// <summary>The flow; what only training reads is left out.</summary>
public sealed record SelftokSchedule
{
    /// <summary>What the decoder predicts: the velocity, or the clean latent.</summary>
    [AllowedValues("velocity", "x0")] public string Parameterization { get; init; } = "velocity";
}

/// <summary>Section <c>encoder_config</c>.</summary>
public sealed record SelftokEncoderConfig
{
    /// <summary>Whether queries are modulated by their positions.</summary>
    public bool TimeAdaln { get; init; }
    /// <summary>How queries and latent meet; the published tokenizers are <c>dual</c>.</summary>
    [AllowedValues("dual")] public string QformerMode { get; init; } = "dual";
    /// <summary>Whether queries are normed before the quantizer.</summary>
    public bool PreNorm { get; init; }
    /// <summary>Whether quantized tokens are normed.</summary>
    public bool PostNorm { get; init; } = true;
    /// <summary>Whether branches of the queries are normed after the sum, not before.</summary>
    public bool PostLn { get; init; }
    /// <summary>Whether queries and keys are normed by head.</summary>
    public bool QkNorm { get; init; }
    /// <summary>Whether a query sees only queries up to itself.</summary>
    public bool AttnMask { get; init; }
}

/// <summary>Section <c>quantizer_config</c>.</summary>
public sealed record SelftokQuantizerConfig
{
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 32768;
    /// <summary>Width of a code.</summary>
    [Range(1, 4096)] public int CodeDim { get; init; } = 16;
}

/// <summary>Section <c>decoder_config</c>.</summary>
public sealed record SelftokDecoderConfig
{
    /// <summary>What modulates the tokens: their positions, the time, or both.</summary>
    [AllowedValues("pos_emb", "t_emb", "pos_t_emb")] public string TimeAdaln { get; init; } = "pos_emb";
    /// <summary>Norm of queries and keys by head.</summary>
    [AllowedValues("rms", "ln", null)] public string? QkNorm { get; init; }
    /// <summary>Whether branches of the tokens are normed after the sum, not before.</summary>
    public bool PostLn { get; init; }
    /// <summary>Whether blocks norm by the root mean square.</summary>
    public bool Rmsnorm { get; init; }
    /// <summary>Whether the blocks' layers are gated.</summary>
    public bool Swiglu { get; init; }
    /// <summary>Blocks that are scaled but not shifted: no published tokenizer has them, and they are not here.</summary>
    [AllowedValues(false)] public bool ScaleModOnly { get; init; }
    /// <summary>Learned tokens before those of the picture.</summary>
    [Range(0, 1024)] public int RegisterLength { get; init; }
}

/// <summary>What <c>Enc-Qformer-Uni-XL/2</c> and <c>MMDiT_XL</c> stand for in the authors' code.</summary>
public sealed record SelftokFixed
{
    /// <summary>The encoder.</summary>
    public SelftokEncoderSize Encoder { get; init; } = new();
    /// <summary>The decoder.</summary>
    public SelftokDecoderSize Decoder { get; init; } = new();
}

/// <summary>Sizes of the encoder.</summary>
public sealed record SelftokEncoderSize
{
    /// <summary>Width of the latent's stream.</summary>
    public int HiddenSize { get; init; } = 64;
    /// <summary>Its heads.</summary>
    public int NumHeads { get; init; } = 4;
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 16;
    /// <summary>Width of the queries' stream.</summary>
    public int QueryDim { get; init; } = 512;
    /// <summary>Its heads.</summary>
    public int QueryHeads { get; init; } = 8;
    /// <summary>Places a patch.</summary>
    public int PatchSize { get; init; } = 2;
    /// <summary>Whether the latent looks at the queries, too; both streams are then one width.</summary>
    public bool Bidirectional { get; init; }
    /// <summary>Whether what queries see of the latent passes a gate of its own, zero when training starts.</summary>
    public bool ZeroInit { get; init; }
}

/// <summary>Sizes of the decoder.</summary>
public sealed record SelftokDecoderSize
{
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 24;
    /// <summary>Width.</summary>
    public int HiddenSize { get; init; } = 1536;
    /// <summary>Heads.</summary>
    public int NumHeads { get; init; } = 24;
    /// <summary>Places along each side of the position table.</summary>
    public int PosEmbedMaxSize { get; init; } = 192;
    /// <summary>Places a patch.</summary>
    public int PatchSize { get; init; } = 2;
}
