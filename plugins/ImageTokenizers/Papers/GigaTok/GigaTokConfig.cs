using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Section <c>model.init_args</c> of the published file.</summary>
public sealed record GigaTokConfig
{
    /// <summary>Whether codes live on the unit sphere.</summary>
    public bool CodebookL2Norm { get; init; } = true;
    /// <summary>Name of the size of both transformers.</summary>
    public string? ModelSize { get; init; }
    /// <summary>Name of the encoder's size.</summary>
    public string? EncoderSize { get; init; }
    /// <summary>Name of the decoder's size.</summary>
    public string? DecoderSize { get; init; }
    /// <summary>Whether the convolutional parts have attention.</summary>
    public bool UseAttn { get; init; } = true;
    /// <summary>Entries of the codebook.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 16384;
    /// <summary>Width of a code.</summary>
    [Range(1, 4096)] public int CodebookEmbedDim { get; init; } = 8;
    /// <summary>Width of each level of the convolutional encoder.</summary>
    public int[] EncoderChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Width of each level of the convolutional decoder.</summary>
    public int[] DecoderChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Tokens a picture.</summary>
    public int NumLatentTokens { get; init; } = 256;
    /// <summary>Channels between the convolutional and the transformer parts.</summary>
    public int ZChannels { get; init; } = 256;
    /// <summary>Whether the encoder's queries are means over ever smaller regions.</summary>
    public bool MultiLevelQueryInit { get; init; }
    /// <summary>Whether the encoder's queries are learned.</summary>
    [JsonPropertyName("learnable_1d_query_init")] public bool Learnable1dQueryInit { get; init; }
    /// <summary>Whether the decoder's queries are the last level's tokens.</summary>
    [JsonPropertyName("last_level_2d_query_init")] public bool LastLevel2dQueryInit { get; init; }
    /// <summary>Whether the decoder's queries are means over the levels.</summary>
    [JsonPropertyName("multi_level_2d_query_init")] public bool MultiLevel2dQueryInit { get; init; }
    /// <summary>Whether the decoder's queries are learned.</summary>
    [JsonPropertyName("learnable_2d_query_init")] public bool Learnable2dQueryInit { get; init; }
    /// <summary>Layer of the two-dimensional variant.</summary>
    [AllowedValues("TransformerDecoderLayer", "TransformerLayer", "QformerLayerVar")] public string TransformerLayerType { get; init; } = "TransformerDecoderLayer";
    /// <summary>Whether the decoder's levels are modulated by the features' statistics.</summary>
    public bool AdaptiveGn { get; init; }
    /// <summary>Whether the decoder's levels grow from channels.</summary>
    public bool D2sUp { get; init; }
    /// <summary>Whether rotary positions are used; not here.</summary>
    [AllowedValues(false)] public bool UseRope { get; init; }
    /// <summary>Whether queries and keys are normalised; not here.</summary>
    [AllowedValues(false)] public bool UseQkNorm { get; init; }
    /// <summary>Whether levels change size around a shortcut; not here.</summary>
    [AllowedValues(false)] public bool ResUpDownSample { get; init; }

    /// <summary>Size of the encoder.</summary>
    public string Encoder => EncoderSize ?? ModelSize ?? "small";
    /// <summary>Size of the decoder.</summary>
    public string Decoder => DecoderSize ?? ModelSize ?? "small";
}

/// <summary>What the published code fixes, and sizes by name.</summary>
public sealed record GigaTokFixed
{
    /// <summary>Size of the pictures.</summary>
    public int ImageSize { get; init; } = 256;
    /// <summary>Width of the first level.</summary>
    public int Ch { get; init; } = 128;
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 2;
    /// <summary>Groups of the group norms.</summary>
    public int NormNumGroups { get; init; } = 32;
    /// <summary>Tokens that are not repeated (ReTok); null repeats none.</summary>
    public int? NumImportantTokens { get; init; }
    /// <summary>A size of the name nano_enc: width, blocks, heads.</summary>
    public int[]? NanoEnc { get; init; }
    /// <summary>A size of the name nano_dec: width, blocks, heads.</summary>
    public int[]? NanoDec { get; init; }
    /// <summary>Kind of model: one- or two-dimensional tokens.</summary>
    public string ModelClass { get; init; } = "VQVitModelPlus";

    /// <summary>Width, blocks and heads of a size.</summary>
    public (int Width, int Layers, int Heads) SizeOf(string name) => name switch
    {
        "tiny" => (256, 4, 4),
        "small" => (512, 6, 8),
        "base" => (768, 12, 12),
        "large" => (1024, 24, 16),
        "xl" => (1280, 36, 20),
        "xxl" => (1536, 48, 24),
        "xxxl" => (2560, 48, 40),
        "nano_enc" when NanoEnc is [var width, var layers, var heads] => (width, layers, heads),
        "nano_dec" when NanoDec is [var width, var layers, var heads] => (width, layers, heads),
        _ => throw new CheckpointException(ErrorCodes.ConfigInvalid, "The size of a transformer is not known.") { Found = name },
    };
}
