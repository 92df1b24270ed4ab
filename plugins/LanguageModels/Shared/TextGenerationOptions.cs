using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Options of continuing a text token by token: byte by byte, or by whatever the model counts in.</summary>
public record TextGenerationOptions : ModelOptions
{
    /// <summary>Tokens to generate at most.</summary>
    [Description("Tokens to generate at most: bytes, characters, or what else the model counts in."), Range(1, 1 << 20)]
    public int MaxNewTokens { get; init; } = 256;

    /// <summary>0 chooses the most probable token.</summary>
    [Description("Temperature; 0 takes the most probable token each time."), Range(0, 100)]
    public float Temperature { get; init; }

    /// <summary>0 for no limit.</summary>
    [Description("Draw among the k most probable tokens only; 0 for all."), Range(0, 1 << 20)]
    public int TopK { get; init; }

    /// <summary>1 for no limit.</summary>
    [Description("Draw among the most probable tokens up to this mass."), Range(0, 1)]
    public float TopP { get; init; } = 1;

    /// <summary>0 for no limit.</summary>
    [Description("Draw among tokens above this share of the most probable one."), Range(0, 1)]
    public float MinP { get; init; }

    /// <summary>1 for none.</summary>
    [Description("Penalty of tokens that occurred; 1 for none."), Range(0.01, 100)]
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>0 for none.</summary>
    [Description("Subtracted from the logits of tokens that occurred."), Range(-100, 100)]
    public float PresencePenalty { get; init; }

    /// <summary>0 for none.</summary>
    [Description("Subtracted from a token's logit for each time that it occurred."), Range(-100, 100)]
    public float FrequencyPenalty { get; init; }

    /// <summary>Texts that end the result, of which they are no part.</summary>
    [Description("Texts at which the result ends; they are no part of it.")]
    public string[] Stop { get; init; } = [];

    /// <summary>How a token is chosen.</summary>
    internal TokenSampling Sampling => new() { Temperature = Temperature, TopK = TopK, TopP = TopP, MinP = MinP, RepetitionPenalty = RepetitionPenalty, PresencePenalty = PresencePenalty, FrequencyPenalty = FrequencyPenalty };
}
