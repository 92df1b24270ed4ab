using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>How often the recurrent block is applied.</summary>
internal interface IHuginnOptions
{
    /// <summary>Recurrences at most; null is as many as in training on average.</summary>
    int? Steps { get; }

    /// <summary>Factor on the deviation of states at the beginning.</summary>
    double StateScale { get; }

    /// <summary>What ends them earlier.</summary>
    HuginnCriterion Criterion => HuginnCriterion.None;

    /// <summary>The criterion's bound; null is the authors' own.</summary>
    double? ExitThreshold => null;

    /// <summary>Recurrences before the criterion is looked at.</summary>
    int MinSteps => 0;
}

/// <summary>Options of continuing a text.</summary>
public sealed record HuginnGenerateOptions : TextGenerationOptions, IHuginnOptions
{
    /// <inheritdoc cref="IHuginnOptions.Steps"/>
    [Description(HuginnTexts.Steps), Range(1, 1 << 12)] public int? Steps { get; init; }

    /// <inheritdoc cref="IHuginnOptions.StateScale"/>
    [Description(HuginnTexts.StateScale), Range(0, 100)] public double StateScale { get; init; } = 1;

    /// <inheritdoc cref="IHuginnOptions.Criterion"/>
    [Description("What ends a token's recurrences before that number.")] public HuginnCriterion Criterion { get; init; }

    /// <inheritdoc cref="IHuginnOptions.ExitThreshold"/>
    [Description("The criterion's bound; the authors' own when not given."), Range(0, 1 << 16)] public double? ExitThreshold { get; init; }

    /// <inheritdoc cref="IHuginnOptions.MinSteps"/>
    [Description("Recurrences before the criterion is looked at."), Range(0, 1 << 12)] public int MinSteps { get; init; }
}

/// <summary>Options of measuring texts.</summary>
public sealed record HuginnEvaluateOptions : ModelOptions, IHuginnOptions
{
    /// <inheritdoc cref="IHuginnOptions.Steps"/>
    [Description(HuginnTexts.Steps), Range(1, 1 << 12)] public int? Steps { get; init; }

    /// <inheritdoc cref="IHuginnOptions.StateScale"/>
    [Description(HuginnTexts.StateScale), Range(0, 100)] public double StateScale { get; init; } = 1;

    /// <summary>Tokens that are measured in one run.</summary>
    [Description("Tokens of a stretch: longer texts are cut, and each stretch begins anew."), Range(2, 1 << 20)] public int Context { get; init; } = 1024;
}

internal static class HuginnTexts
{
    public const string Steps = "Recurrences of the middle block, more being more thought; by default the mean of training.";
    public const string StateScale = "Factor on the spread of the states that recurrences begin with; 0 begins with zeros.";
}
