using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>The tokenizer's <c>train_config.json</c>.</summary>
public sealed record LmrTokenizerConfig : TokenizerArgs
{
    /// <summary>1 when the encoder does not look ahead.</summary>
    [Range(0, 1)] public int Causal { get; init; }

    /// <inheritdoc/>
    public override int Unit => 1;

    internal override TemporalLayout Layout => base.Layout with { KeepsRate = true, Causal = Causal != 0 };
}

/// <summary>The transformer's <c>train_config.json</c>.</summary>
public sealed record LmrConfig : GeneratorArgs
{
    // A constant of the authors' script: a token for four of 196 frames, and the end.
    private const int PublishedSemanticLen = 50;

    /// <summary>1 when semantic and motion codes have ids of their own.</summary>
    [Range(0, 1)] public int TestNb { get; init; }

    /// <summary>Tokens of the thought before the motion. The published files do not say: 50, or the first quarter of shorter sequences.</summary>
    [Range(1, 65536)] public int? SemanticLen { get; init; }

    /// <summary>Number of ids before the end.</summary>
    public int Vocabulary => TestNb != 0 ? 2 * NbCode + 1 : NbCode;

    /// <summary>Tokens of the thought before the motion.</summary>
    public int Semantics => SemanticLen ?? Math.Min(PublishedSemanticLen, (BlockSize + 3) / 4);
}

/// <summary>Options of generating with LMR.</summary>
public sealed record LmrOptions : ModelOptions
{
    /// <summary>Guidance.</summary>
    [Description("Guidance; 1 is none.")]
    [Range(0, 100)]
    public double Guidance { get; init; } = 1;

    /// <summary>Share of the probability that is drawn from.</summary>
    [Description("Share of the probability that tokens are drawn from, the likeliest first.")]
    [Range(0.0, 1.0)]
    public double TopP { get; init; } = 0.96;

    /// <summary>Fewest frames.</summary>
    [Description("Fewest frames.")]
    [Range(1, 100000)]
    public int MinFrames { get; init; } = 5;

    /// <summary>Whether the likeliest tokens are taken.</summary>
    [Description("Take the likeliest tokens instead of drawing them.")]
    public bool Greedy { get; init; }
}
