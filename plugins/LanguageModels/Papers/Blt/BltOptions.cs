using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>How bytes are cut, where the caller chooses.</summary>
internal interface IBltPatchingOptions
{
    /// <summary>What begins a patch.</summary>
    BltPatching? Patching { get; }

    /// <summary>Entropy above which one begins.</summary>
    double? Threshold { get; }
}

/// <summary>Options of cutting a text into patches.</summary>
public sealed record BltTokenizeOptions : ModelOptions, IBltPatchingOptions
{
    /// <inheritdoc cref="IBltPatchingOptions.Patching"/>
    [Description(BltPatchingTexts.Patching)] public BltPatching? Patching { get; init; }

    /// <inheritdoc cref="IBltPatchingOptions.Threshold"/>
    [Description(BltPatchingTexts.Threshold), Range(-100, 100)] public double? Threshold { get; init; }
}

/// <summary>Options of continuing a text.</summary>
public sealed record BltGenerateOptions : TextGenerationOptions, IBltPatchingOptions
{
    /// <inheritdoc cref="IBltPatchingOptions.Patching"/>
    [Description(BltPatchingTexts.Patching)] public BltPatching? Patching { get; init; }

    /// <inheritdoc cref="IBltPatchingOptions.Threshold"/>
    [Description(BltPatchingTexts.Threshold), Range(-100, 100)] public double? Threshold { get; init; }
}

/// <summary>Options of measuring texts.</summary>
public sealed record BltEvaluateOptions : ByteEvaluationOptions, IBltPatchingOptions
{
    /// <inheritdoc cref="IBltPatchingOptions.Patching"/>
    [Description(BltPatchingTexts.Patching)] public BltPatching? Patching { get; init; }

    /// <inheritdoc cref="IBltPatchingOptions.Threshold"/>
    [Description(BltPatchingTexts.Threshold), Range(-100, 100)] public double? Threshold { get; init; }
}

internal static class BltPatchingTexts
{
    public const string Patching = "What begins a patch; as the model was trained when not given.";
    public const string Threshold = "Entropy in nats above which a patch begins; as the model was trained when not given.";
}
