using System.ComponentModel;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>How a word is cut with a vocabulary.</summary>
public enum InferenceMethod
{
    /// <summary>From the left, the longest token each time.</summary>
    LongestPrefix,

    /// <summary>From the right, the longest token each time.</summary>
    LongestSuffix,

    /// <summary>The longest token anywhere, then left and right of it.</summary>
    LongestToken,

    /// <summary>As few tokens as possible.</summary>
    LeastTokens,

    /// <summary>By merges, in order.</summary>
    Merges,

    /// <summary>The most likely tokens.</summary>
    Likelihood,
}

/// <summary>Options of the benchmark of inference methods.</summary>
public sealed record InferenceOptions : ModelOptions
{
    /// <summary>How words are cut.</summary>
    [Description("How a word is cut; one that cannot be cut that way becomes its bytes.")]
    public InferenceMethod Method { get; init; } = InferenceMethod.LongestPrefix;
}
