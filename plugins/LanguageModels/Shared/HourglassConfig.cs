using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Published settings of the dynamic-pooling hourglass (arXiv:2211.09761, PiotrNawrot/dynamic-pooling: MemTransformerLM), on which MAGNET and Toucan build.</summary>
public partial record HourglassConfig
{
    /// <summary>Ids, the end of a token aside.</summary>
    [Range(2, 1 << 20)] public int NToken { get; init; } = 262;
    /// <summary>Attention heads.</summary>
    [Range(1, 1024)] public int NHead { get; init; } = 12;
    /// <summary>Width.</summary>
    [Range(2, 65536)] public int DModel { get; init; } = 768;
    /// <summary>Width of a head.</summary>
    [Range(1, 65536)] public int DHead { get; init; } = 64;
    /// <summary>Width within feed-forward networks and boundary predictors.</summary>
    [Range(1, 1 << 20)] public int DInner { get; init; } = 3072;
    /// <summary>Norms before the blocks, which the authors never used and refuse.</summary>
    [AllowedValues(false)] public bool PreLnorm { get; init; }
    /// <summary>Layers before pooling, on the pooled sequence and behind it: <c>[2, (12,), 2]</c>.</summary>
    [RegularExpression(@"^\s*\[\s*\d+\s*,\s*[(\[]\s*\d+\s*,?\s*[)\]]\s*,\s*\d+\s*\]\s*$")] public string ModelConfig { get; init; } = "[2, (12,), 2]";
    /// <summary>Activation of feed-forward networks and boundary predictors.</summary>
    [AllowedValues("relu", "gelu")] public string ActivationFunction { get; init; } = "gelu";
    /// <summary>Where boundaries come from: predicted (<c>gumbel</c>, <c>entropy</c>, <c>unigram</c>) or given (<c>fixed</c>, <c>whitespaces</c>).</summary>
    [AllowedValues("gumbel", "entropy", "unigram", "fixed", "whitespaces")] public string BoundariesType { get; init; } = "gumbel";
    /// <summary>Temperature of the relaxed Bernoulli draws (<c>gumbel</c>).</summary>
    [Range(1e-6, 1e6)] public double Temp { get; init; } = 0.5;
    /// <summary>Places to the left that an entropy must exceed to be a spike, which is what the <c>entropy</c> predictor is taught.</summary>
    [Range(0, 1 << 20)] public int SpikesLeft { get; init; } = 2;
    /// <summary>Characters of each group (<c>fixed</c>).</summary>
    [Range(1, 1 << 20)] public int? FixedSf { get; init; }

    /// <summary>Layers before pooling, on the pooled sequence and behind it.</summary>
    internal (int Before, int Pooled, int After) Layers => Numbers().Matches(ModelConfig).Select(match => int.Parse(match.Value, CultureInfo.InvariantCulture)).ToArray() is [var before, var pooled, var after]
        ? (before, pooled, after)
        : throw new ModelZooException(ErrorCodes.ConfigInvalid, "The layers are three numbers.") { Where = "model_config", Expected = "[2, (12,), 2]", Found = ModelConfig };

    /// <summary>Whether boundaries are predicted.</summary>
    internal bool Predicts => BoundariesType is "gumbel" or "entropy" or "unigram";

    /// <summary>Width of all heads together.</summary>
    internal int HeadsWidth => NHead * DHead;

    [GeneratedRegex(@"\d+")]
    private static partial Regex Numbers();
}
