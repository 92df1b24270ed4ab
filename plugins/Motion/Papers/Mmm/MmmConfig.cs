using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>The authors' command line, as <c>args.json</c>; defaults are those of the published model.</summary>
public sealed record MmmConfig : GeneratorArgs
{
    /// <summary>The published model's values, where they are not those of T2M-GPT.</summary>
    public MmmConfig() => (NbCode, CodeDim) = (8192, 32);

    /// <summary>Blocks of the first half that look at the words of the caption.</summary>
    [Range(0, 1024)] public int NumLocalLayer { get; init; } = 2;
}

/// <summary>Options of generating with MMM.</summary>
public sealed record MmmOptions : ModelOptions
{
    /// <summary>Length in frames.</summary>
    [Description("Frames to make, 20 a second; the length of the given motion when one is edited.")]
    [Range(4, 100000)]
    public int Frames { get; init; } = 80;

    /// <summary>Steps of the longest motion.</summary>
    [Description("Steps of decoding for the longest motion; shorter ones take fewer.")]
    [Range(1, 1000)]
    public int Steps { get; init; } = 10;

    /// <summary>Whether the likeliest tokens are taken.</summary>
    [Description("Take the likeliest tokens instead of drawing them.")]
    public bool Greedy { get; init; }

    /// <summary>First frame that is made anew.</summary>
    [Description("Editing a given motion: first frame to make anew.")]
    [Range(0, 100000)]
    public int? EditFrom { get; init; }

    /// <summary>Frame after the last that is made anew.</summary>
    [Description("Editing a given motion: frame after the last to make anew.")]
    [Range(1, 100000)]
    public int? EditTo { get; init; }

    /// <summary>Tokens between two motions of a long sequence.</summary>
    [Description("Long sequences (captions separated by '|'): tokens of each transition.")]
    [Range(1, 16)]
    public int TransitionTokens { get; init; } = 2;
}
