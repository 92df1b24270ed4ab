using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.Motion;

/// <summary>A tokenizer and the transformer over its tokens, in the names of the command line that T2M-GPT's descendants share; defaults are those of the published models.</summary>
public abstract record GeneratorArgs : TokenizerArgs
{
    /// <summary>Width of the transformer.</summary>
    [Range(1, 65536)] public int EmbedDimGpt { get; init; } = 1024;
    /// <summary>Width of the caption's features.</summary>
    [Range(1, 65536)] public int ClipDim { get; init; } = 512;
    /// <summary>Longest sequence: the caption and the tokens.</summary>
    [Range(2, 65536)] public int BlockSize { get; init; } = 51;
    /// <summary>Transformer blocks of each half.</summary>
    [Range(1, 1024)] public int NumLayers { get; init; } = 9;
    /// <summary>Number of heads.</summary>
    [Range(1, 1024)] public int NHeadGpt { get; init; } = 16;
    /// <summary>Factor of the feed-forward width.</summary>
    [Range(1, 64)] public int FfRate { get; init; } = 4;
}
