using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Rotary settings as <c>rope_parameters</c> or <c>rope_scaling</c> has them.</summary>
public sealed record RopeParameters
{
    /// <summary><c>default</c>, <c>linear</c>, <c>dynamic</c>, <c>yarn</c> or <c>llama3</c>.</summary>
    public string? RopeType { get; init; }
    /// <summary>Older name of the same.</summary>
    public string? Type { get; init; }
    /// <summary>Base of the frequencies.</summary>
    public double? RopeTheta { get; init; }
    /// <summary>How many times longer sequences become; yarn may leave it out.</summary>
    [Range(1e-3, 1e6)] public double? Factor { get; init; }
    /// <summary>Length of training (yarn, llama3).</summary>
    [Range(1, 1 << 30)] public int? OriginalMaxPositionEmbeddings { get; init; }
    /// <summary>Turns in the length of training up to which a frequency is divided (llama3).</summary>
    public double LowFreqFactor { get; init; } = 1;
    /// <summary>Turns from which on it is kept (llama3).</summary>
    public double HighFreqFactor { get; init; } = 4;
    /// <summary>Turns in the length of training from which on a frequency is kept (yarn).</summary>
    public double? BetaFast { get; init; }
    /// <summary>Turns up to which it is divided (yarn).</summary>
    public double? BetaSlow { get; init; }
    /// <summary>What cosines and sines are multiplied by (yarn); null follows from the factor.</summary>
    public double? AttentionFactor { get; init; }
    /// <summary>Weight of the factor's logarithm in the numerator of the attention factor (yarn).</summary>
    public double? Mscale { get; init; }
    /// <summary>The same in its denominator (yarn).</summary>
    public double? MscaleAllDim { get; init; }
    /// <summary>Whether the bounds of the ramp are whole channels (yarn).</summary>
    public bool Truncate { get; init; } = true;

    [JsonIgnore] internal string Kind => RopeType ?? Type ?? "default";
}

// RoPE: Su et al., arXiv:2104.09864. Linear: Chen et al., arXiv:2306.15595. YaRN, and the dynamic form: Peng et al., arXiv:2309.00071. Llama 3: arXiv:2407.21783. Formulas of huggingface/transformers, modeling_rope_utils.

/// <summary>Rotary frequencies of a language model, as its settings stretch them.</summary>
/// <param name="Rope">The settings.</param>
/// <param name="Width">Width of a head.</param>
/// <param name="Base">Base of the frequencies where the settings do not say.</param>
/// <param name="MaxPositions">Longest sequence.</param>
/// <param name="OriginalPositions">Length of training, which goes before that of the settings.</param>
internal sealed record RotarySettings(RopeParameters Rope, long Width, double Base, int MaxPositions, int? OriginalPositions)
{
    private double Theta => Rope.RopeTheta ?? Base;

    private int Trained => OriginalPositions ?? Rope.OriginalMaxPositionEmbeddings ?? MaxPositions;

    private double Factor => Rope.Factor ?? (double)MaxPositions / Trained;

    /// <summary>What cosines and sines are multiplied by; YaRN's 0.1 ln(factor) + 1 where the settings do not say.</summary>
    public double Gain
    {
        get
        {
            double Scale(double weight) => Factor <= 1 ? 1 : 0.1 * weight * Math.Log(Factor) + 1;
            if (Rope.Kind != "yarn") return 1;
            return Rope.AttentionFactor ?? (Rope is { Mscale: not (null or 0), MscaleAllDim: not (null or 0) } ? Scale(Rope.Mscale.Value) / Scale(Rope.MscaleAllDim.Value) : Scale(1));
        }
    }

    /// <summary>Refuses what is not supported, by name.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>.</exception>
    public void Check(string folder)
    {
        if (Rope.Kind is not ("default" or "linear" or "dynamic" or "yarn" or "llama3"))
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "These rotary settings are not supported.") { Where = folder, Expected = "default, linear, dynamic, yarn, llama3", Found = Rope.Kind };
        if (Rope.Kind is "linear" or "dynamic" or "llama3" && Rope.Factor is null)
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "The rotary settings lack a number.") { Where = folder, Expected = "factor", Found = Rope.Kind };
    }

    /// <summary>Frequencies of each pair of channels (width / 2), for sequences that are not longer than the longest.</summary>
    public float[] Frequencies()
    {
        var frequencies = new float[Width / 2];
        for (var i = 0; i < frequencies.Length; i++)
        {
            var frequency = Math.Pow(Theta, -2.0 * i / Width);
            var kept = Kept(i, frequency);
            frequencies[i] = (float)(kept * frequency + (1 - kept) * frequency / Factor);
        }

        return frequencies;
    }

    /// <summary>Cosines and sines of positions (B, N): (B, N, width / 2).</summary>
    /// <param name="positions">Positions, int64.</param>
    /// <param name="oneByOne">True where each token was the last of its sequence when it came: the dynamic form goes by how long sequences are then.</param>
    public (Value Cos, Value Sin) Angles(Value positions, bool oneByOne)
    {
        var g = positions.Graph;
        var frequencies = g.Constant<float>(Frequencies(), 1, 1, Width / 2);
        var places = positions.Cast(ElementType.Float32).Unsqueeze(-1);                                                     // (B, N, 1)
        if (Rope.Kind == "dynamic")
        {
            // The base grows by (factor length / longest - factor + 1)^(width / (width - 2)) once sequences are longer.
            var length = ((oneByOne ? places : places.MaxOver(1, keep: true).MaxOver(0, keep: true)) + 1).Max(g.Scalar(ElementType.Float32, MaxPositions));
            var growth = (length * (Factor / MaxPositions) - (Factor - 1)).Log();
            var exponents = g.Constant<float>([.. Enumerable.Range(0, (int)Width / 2).Select(i => (float)(-2.0 * i / (Width - 2)))], 1, 1, Width / 2);
            frequencies *= (growth * exponents).Exp();
        }

        var angles = places * frequencies;
        return Gain == 1 ? (angles.Cos(), angles.Sin()) : (angles.Cos() * Gain, angles.Sin() * Gain);
    }

    // How much of a frequency is kept; the rest is divided by the factor.
    private double Kept(int pair, double frequency)
    {
        switch (Rope.Kind)
        {
            case "linear":
                return 0;
            case "llama3":
                var turns = Trained * frequency / (2 * Math.PI);
                return Math.Clamp((turns - Rope.LowFreqFactor) / (Rope.HighFreqFactor - Rope.LowFreqFactor), 0, 1);
            case "yarn":
                // A ramp over channels, between those that turn beta_fast and beta_slow times in the length of training.
                double Channel(double turnsThere) => Width * Math.Log(Trained / (turnsThere * 2 * Math.PI)) / (2 * Math.Log(Theta));
                var (first, last) = (Channel(Rope.BetaFast is { } fast and not 0 ? fast : 32), Channel(Rope.BetaSlow is { } slow and not 0 ? slow : 1));
                if (Rope.Truncate) (first, last) = (Math.Floor(first), Math.Ceiling(last));
                (first, last) = (Math.Max(first, 0), Math.Min(last, Width - 1));
                return 1 - Math.Clamp((pair - first) / (first == last ? 0.001 : last - first), 0, 1);
            default:
                return 1;
        }
    }
}
