using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.LanguageModels;

/// <summary>Rotary settings as <c>rope_parameters</c> or <c>rope_scaling</c> has them.</summary>
public sealed record RopeParameters
{
    /// <summary>How frequencies are stretched; <c>su</c> is an older name of LongRoPE.</summary>
    [AllowedValues("default", "linear", "dynamic", "yarn", "llama3", "longrope", "su", null)] public string? RopeType { get; init; }
    /// <summary>Older name of the same.</summary>
    [AllowedValues("default", "linear", "dynamic", "yarn", "llama3", "longrope", "su", null)] public string? Type { get; init; }
    /// <summary>Base of the frequencies.</summary>
    public double? RopeTheta { get; init; }
    /// <summary>How many times longer sequences become; yarn and longrope may leave it out.</summary>
    [Range(1e-3, 1e6)] public double? Factor { get; init; }
    /// <summary>Length of training (yarn, llama3, longrope).</summary>
    [Range(1, 1 << 30)] public int? OriginalMaxPositionEmbeddings { get; init; }
    /// <summary>Turns in the length of training up to which a frequency is divided (llama3).</summary>
    public double LowFreqFactor { get; init; } = 1;
    /// <summary>Turns from which on it is kept (llama3).</summary>
    public double HighFreqFactor { get; init; } = 4;
    /// <summary>Turns in the length of training from which on a frequency is kept (yarn).</summary>
    public double? BetaFast { get; init; }
    /// <summary>Turns up to which it is divided (yarn).</summary>
    public double? BetaSlow { get; init; }
    /// <summary>What cosines and sines are multiplied by (yarn, longrope); null follows from the factor.</summary>
    public double? AttentionFactor { get; init; }
    /// <summary>Weight of the factor's logarithm in the numerator of the attention factor (yarn).</summary>
    public double? Mscale { get; init; }
    /// <summary>The same in its denominator (yarn).</summary>
    public double? MscaleAllDim { get; init; }
    /// <summary>Whether the bounds of the ramp are whole channels (yarn).</summary>
    public bool Truncate { get; init; } = true;
    /// <summary>Divisors of the frequencies of each pair of channels, up to the length of training (longrope).</summary>
    public double[] ShortFactor { get; init; } = [];
    /// <summary>The same for longer sequences (longrope).</summary>
    public double[] LongFactor { get; init; } = [];

    internal string Kind => RopeType ?? Type ?? (ShortFactor.Length > 0 ? "longrope" : "default");

    internal bool IsLongRope => Kind is "longrope" or "su";
}

/// <summary>Refuses rotary settings that lack a number that they need.</summary>
internal sealed class CompleteRotaryAttribute : ValidationAttribute
{
    /// <inheritdoc/>
    public override bool IsValid(object? value) => value is not RopeParameters rope || rope.Kind switch
    {
        "linear" or "dynamic" or "llama3" => rope.Factor is not null,
        "longrope" or "su" => rope.ShortFactor.Length > 0 && rope.LongFactor.Length == rope.ShortFactor.Length,
        _ => true,
    };

    /// <inheritdoc/>
    public override string FormatErrorMessage(string name) => "The rotary settings lack a number: linear, dynamic and llama3 need factor; longrope needs short_factor and long_factor of equal length.";
}
