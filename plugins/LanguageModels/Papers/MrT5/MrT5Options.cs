using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What is deleted, where the caller chooses.</summary>
internal interface IMrT5DeletionOptions
{
    /// <summary>Whether bytes stay and are hidden by their gates.</summary>
    bool Soft { get; }

    /// <summary>Gate above which a byte is kept.</summary>
    double? Threshold { get; }
}

/// <summary>Options of finding which bytes are deleted.</summary>
public sealed record MrT5TokenizeOptions : ModelOptions
{
    /// <inheritdoc cref="IMrT5DeletionOptions.Threshold"/>
    [Description(MrT5OptionTexts.Threshold), Range(-1e6, 0)] public double? Threshold { get; init; }
}

/// <summary>Options of answering a text.</summary>
public sealed record MrT5GenerateOptions : TextGenerationOptions, IMrT5DeletionOptions
{
    /// <inheritdoc/>
    [Description(MrT5OptionTexts.Soft)] public bool Soft { get; init; }

    /// <inheritdoc/>
    [Description(MrT5OptionTexts.Threshold), Range(-1e6, 0)] public double? Threshold { get; init; }
}

/// <summary>Options of measuring texts.</summary>
public sealed record MrT5EvaluateOptions : ModelOptions, IMrT5DeletionOptions
{
    /// <inheritdoc/>
    [Description(MrT5OptionTexts.Soft)] public bool Soft { get; init; }

    /// <inheritdoc/>
    [Description(MrT5OptionTexts.Threshold), Range(-1e6, 0)] public double? Threshold { get; init; }
}

internal static class MrT5OptionTexts
{
    public const string Soft = "Keep all bytes, hidden by their gates as in training, instead of taking deleted ones out.";
    public const string Threshold = "Gate above which a byte is kept; as published when not given.";
}
