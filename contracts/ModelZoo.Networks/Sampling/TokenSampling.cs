using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Sampling;

/// <summary>How a next token is chosen from logits. The defaults are greedy. Applied in the order of transformers: penalties, then temperature, then truncation.</summary>
public sealed record TokenSampling
{
    /// <summary>0 chooses the most probable token.</summary>
    [Description("Temperature; 0 is greedy"), Range(0, 100)] public float Temperature { get; init; }
    /// <summary>0 for no limit.</summary>
    [Description("Keep the k most probable tokens"), Range(0, int.MaxValue)] public int TopK { get; init; }
    /// <summary>1 for no limit.</summary>
    [Description("Keep the most probable tokens up to this mass"), Range(0, 1)] public float TopP { get; init; } = 1;
    /// <summary>0 for no limit.</summary>
    [Description("Keep tokens above this share of the most probable"), Range(0, 1)] public float MinP { get; init; }
    /// <summary>1 for no limit.</summary>
    [Description("Keep the most typical tokens up to this mass"), Range(0, 1)] public float TypicalP { get; init; } = 1;
    /// <summary>1 for none.</summary>
    [Description("Penalty of repeated tokens"), Range(0, 100)] public float RepetitionPenalty { get; init; } = 1;
    /// <summary>0 for none.</summary>
    [Description("Subtracted for tokens that occurred")] public float PresencePenalty { get; init; }
    /// <summary>0 for none.</summary>
    [Description("Subtracted for each time a token occurred")] public float FrequencyPenalty { get; init; }
    /// <summary>0 for none.</summary>
    [Description("Size of n-grams that may not repeat"), Range(0, 100)] public int NoRepeatNGramSize { get; init; }

    /// <summary>Applies penalties and truncation, in place.</summary>
    /// <param name="history">Prompt and generated ids so far.</param>
    public void Process(Span<float> logits, ReadOnlySpan<int> history)
    {
        if (RepetitionPenalty != 1) LogitProcessing.RepetitionPenalty(logits, history, RepetitionPenalty);
        if (PresencePenalty != 0 || FrequencyPenalty != 0) LogitProcessing.PresenceAndFrequency(logits, history, PresencePenalty, FrequencyPenalty);
        if (NoRepeatNGramSize > 0) LogitProcessing.NoRepeatNGram(logits, history, NoRepeatNGramSize);
        if (Temperature == 0) return;
        if (Temperature != 1) LogitProcessing.Temperature(logits, Temperature);
        if (TopK > 0) LogitProcessing.TopK(logits, TopK);
        if (TopP < 1) LogitProcessing.TopP(logits, TopP);
        if (MinP > 0) LogitProcessing.MinP(logits, MinP);
        if (TypicalP < 1) LogitProcessing.Typical(logits, TypicalP);
    }

    /// <summary>Processes logits and chooses: the most probable id at temperature 0, else the one that a uniform number falls on.</summary>
    public int Choose(Span<float> logits, ReadOnlySpan<int> history, double uniform)
    {
        Process(logits, history);
        return Temperature == 0 ? LogitProcessing.ArgMax(logits) : Categorical.Draw(logits, 1, uniform).Id;
    }
}
