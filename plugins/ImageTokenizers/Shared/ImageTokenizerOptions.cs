using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Options of every image tokenizer.</summary>
public sealed record ImageTokenizerOptions : ModelOptions
{
    /// <summary>How many tokens are kept; null keeps all.</summary>
    [Description("Keep only the first tokens, where the method decodes a prefix; all of them when left out.")]
    [Range(1, 65536)]
    public int? Tokens { get; init; }

    /// <summary>Size of the shorter side before the centre is cut out; null takes the published one.</summary>
    [Description("Shorter side, in pixels, that a picture is resized to before its centre is cut out; the published size when left out. Models with learned positions take that size only.")]
    [Range(8, 4096)]
    public int? Size { get; init; }

    /// <summary>What the picture shows, for methods that a text guides; null for none.</summary>
    [Description("What the picture shows, for tokenizers that a caption guides (they need their text encoder beside the weights); give the same one to tokenize and to detokenize.")]
    public string? Caption { get; init; }

    /// <summary>Seed of decoders that draw noise.</summary>
    [Description("Seed of decoders that draw noise; the others do not look at it.")]
    public ulong Seed { get; init; }
}

/// <summary>Options of an evaluation of image tokenizers.</summary>
public sealed record ImageTokenizerEvaluation : ModelOptions
{
    /// <summary>Numbers of tokens to compare; empty for all tokens.</summary>
    [Description("Numbers of tokens to decode each picture from, each reported by itself; all tokens when left out.")]
    public int[] Tokens { get; init; } = [];

    /// <summary>Size of the shorter side before the centre is cut out; null takes the published one.</summary>
    [Description("Shorter side, in pixels, that a picture is resized to before its centre is cut out; the published size when left out.")]
    [Range(8, 4096)]
    public int? Size { get; init; }

    /// <summary>Caption of every picture; null takes the examples' labels where the text encoder is there.</summary>
    [Description("Caption of every picture, for tokenizers that a caption guides; the data set's labels when left out and the text encoder is there.")]
    public string? Caption { get; init; }
}

/// <summary>Options of a strip of reconstructions.</summary>
public sealed record ReconstructionStrip : ModelOptions
{
    /// <summary>Numbers of tokens of the strip's pictures.</summary>
    [Description("Numbers of tokens, one picture each; 1, 2, 4... up to all when left out.")]
    public int[] Tokens { get; init; } = [];
}
