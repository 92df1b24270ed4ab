using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.Motion;

/// <summary>The residual tokenizer's options; defaults are those of the published model.</summary>
public sealed record ResidualTokenizerConfig
{
    /// <summary>Numbers of a frame.</summary>
    [Range(1, 65536)] public int DimPose { get; init; } = 263;
    /// <summary>Codes of each layer.</summary>
    [Range(1, 1 << 20)] public int NbCode { get; init; } = 512;
    /// <summary>Width of a code.</summary>
    [Range(1, 65536)] public int CodeDim { get; init; } = 512;
    /// <summary>Number of times the frame rate is divided.</summary>
    [Range(0, 8)] public int DownT { get; init; } = 2;
    /// <summary>What it is divided by each time.</summary>
    [Range(1, 8)] public int StrideT { get; init; } = 2;
    /// <summary>Width of the convolutions.</summary>
    [Range(1, 65536)] public int Width { get; init; } = 512;
    /// <summary>Residual blocks at each level.</summary>
    [Range(1, 16)] public int Depth { get; init; } = 3;
    /// <summary>Factor from one block's dilation to the next.</summary>
    [Range(1, 16)] public int DilationGrowthRate { get; init; } = 3;
    /// <summary>Activation of the residual blocks.</summary>
    [AllowedValues("relu", "silu", "gelu")] public string VqAct { get; init; } = "relu";
    /// <summary>Normalisation of the residual blocks.</summary>
    [AllowedValues(null, "LN", "GN", "BN")] public string? VqNorm { get; init; }
    /// <summary>Number of layers.</summary>
    [Range(1, 64)] public int NumQuantizers { get; init; } = 6;
    /// <summary>Whether all layers have one codebook.</summary>
    public bool SharedCodebook { get; init; }

    /// <summary>Frames of a token.</summary>
    public int Unit => (int)Math.Pow(StrideT, DownT);

    internal TemporalLayout Layout => new(Width, DownT, StrideT, Depth, DilationGrowthRate, VqAct, VqNorm);
}

/// <summary>A transformer's options; defaults are those of the published models.</summary>
public sealed record TokenTransformerConfig
{
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int LatentDim { get; init; } = 384;
    /// <summary>Width of the feed-forward network.</summary>
    [Range(1, 262144)] public int FfSize { get; init; } = 1024;
    /// <summary>Number of heads.</summary>
    [Range(1, 1024)] public int NHeads { get; init; } = 6;
    /// <summary>Number of layers.</summary>
    [Range(1, 1024)] public int NLayers { get; init; } = 8;
    /// <summary>Whether the residual transformer's layers share embeddings with the outputs before them.</summary>
    public bool ShareWeight { get; init; }
    /// <summary>BAMM's first layer: PyTorch's transformer (<c>official</c>, or null), or the pre-norm blocks of T2M-GPT (<c>t2mgpt</c>).</summary>
    [AllowedValues(null, "official", "t2mgpt")] public string? Trans { get; init; }
}

/// <summary>The three configurations of MoMask and BAMM.</summary>
/// <param name="Tokenizer">The residual tokenizer.</param>
/// <param name="Base">The transformer over the first layer's tokens.</param>
/// <param name="Residual">The transformer over the other layers'.</param>
internal sealed record ResidualMotionConfig(ResidualTokenizerConfig Tokenizer, TokenTransformerConfig Base, TokenTransformerConfig Residual)
{
    /// <summary>Width of CLIP's sentence, a constant of the authors' code.</summary>
    public const int ClipDim = 512;

    /// <summary>Where the weights usually are: each in a folder with <c>opt.txt</c>.</summary>
    public static PublishedPart[] Parts { get; } = [new("vq", "rvq/model/net_best_fid.tar", "vq_model"), new("trans", "trans/model/latest.tar", "t2m_transformer"), new("res", "res/model/net_best_fid.tar", "res_transformer")];

    /// <summary>Reads the three <c>opt.txt</c>.</summary>
    /// <exception cref="CheckpointException">One is missing.</exception>
    public static ResidualMotionConfig Read(ModelSource source)
    {
        string Options(int part) => Path.Combine(source.RequireFolder(), Path.GetDirectoryName(Path.GetDirectoryName(source.Parts.Count > part ? source.Parts[part].File : Parts[part].File))!, "opt.txt");
        return new(OptionsFile.Read<ResidualTokenizerConfig>(Options(0)), OptionsFile.Read<TokenTransformerConfig>(Options(1)), OptionsFile.Read<TokenTransformerConfig>(Options(2)));
    }
}

/// <summary>The authors' <c>opt.txt</c>: lines of <c>name: value</c> between rulers, values as Python writes them.</summary>
internal static class OptionsFile
{
    /// <summary>Reads the options into a record.</summary>
    /// <exception cref="CheckpointException">There is no such file.</exception>
    public static T Read<T>(string path)
    {
        if (!File.Exists(path)) throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no configuration.") { Where = path };
        var values = new JsonObject();
        foreach (var line in File.ReadLines(path))
        {
            if (line.Split(": ", 2) is [var name, var value]) values[name.Trim()] = Value(value.Trim());
        }

        return PublishedConfig.Bind<T>(values, path).Value;
    }

    private static JsonNode? Value(string text) => text switch
    {
        "True" => true,
        "False" => false,
        "None" or "" => null,
        _ when long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var whole) => whole,
        _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
        _ => text,
    };
}
