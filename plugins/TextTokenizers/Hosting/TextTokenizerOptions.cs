using System.ComponentModel;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Hosting;

/// <summary>Options of tokenizing and detokenizing text.</summary>
public sealed record TextTokenizerOptions : ModelOptions
{
    /// <summary>Whether the tokens that the model wants around a text are added.</summary>
    [Description("Add the tokens that the model wants around a text, such as <s>.")]
    public bool AddSpecialTokens { get; init; }

    /// <summary>Whether decoding leaves special tokens out.</summary>
    [Description("Leave special tokens out when detokenizing.")]
    public bool SkipSpecialTokens { get; init; }
}
