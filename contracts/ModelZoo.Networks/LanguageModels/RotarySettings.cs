using ModelZoo.Contracts;

namespace ModelZoo.Networks.LanguageModels;

// RoPE: Su et al., arXiv:2104.09864. Linear: Chen et al., arXiv:2306.15595. YaRN, and the dynamic form: Peng et al., arXiv:2309.00071. LongRoPE: Ding et al., arXiv:2402.13753. Llama 3: arXiv:2407.21783.
// Formulas of huggingface/transformers, modeling_rope_utils.

/// <summary>Rotary frequencies of a language model, as its settings stretch them.</summary>
/// <param name="Rope">The settings.</param>
/// <param name="Width">Channels of a head that turn.</param>
/// <param name="Base">Base of the frequencies where the settings do not say.</param>
/// <param name="MaxPositions">Longest sequence.</param>
/// <param name="OriginalPositions">Length of training, which goes before that of the settings.</param>
public sealed record RotarySettings(RopeParameters Rope, int Width, double Base, int MaxPositions, int? OriginalPositions = null)
{
    private double Theta => Rope.RopeTheta ?? Base;

    private int Trained => OriginalPositions ?? Rope.OriginalMaxPositionEmbeddings ?? MaxPositions;

    private double Factor => Rope.Factor ?? (double)MaxPositions / Trained;

    /// <summary>What cosines and sines are multiplied by, where the settings do not say: YaRN's 0.1 ln(factor) + 1, LongRoPE's sqrt(1 + ln(factor) / ln(length of training)).</summary>
    public double Gain
    {
        get
        {
            double Scale(double weight) => Factor <= 1 ? 1 : 0.1 * weight * Math.Log(Factor) + 1;
            if (Rope.IsLongRope)
            {
                var stretch = (double)MaxPositions / Trained;
                return Rope.AttentionFactor ?? (stretch <= 1 ? 1 : Math.Sqrt(1 + Math.Log(stretch) / Math.Log(Trained)));
            }

            if (Rope.Kind != "yarn") return 1;
            return Rope.AttentionFactor ?? (Rope is { Mscale: not (null or 0), MscaleAllDim: not (null or 0) } ? Scale(Rope.Mscale.Value) / Scale(Rope.MscaleAllDim.Value) : Scale(1));
        }
    }

    /// <summary>Frequencies of each pair of channels (width / 2), for sequences that are not longer than in training (LongRoPE) or at most (dynamic).</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>: there is not a factor for each pair.</exception>
    public float[] Frequencies() => Stretched(Rope.ShortFactor);

    /// <summary>Cosines and sines of positions (B, N): (B, N, width / 2).</summary>
    /// <param name="positions">Positions, int64.</param>
    /// <param name="oneByOne">True where each token was the last of its sequence when it came: LongRoPE and the dynamic form go by how long sequences are then.</param>
    public (Value Cos, Value Sin) Angles(Value positions, bool oneByOne = false)
    {
        var places = positions.Cast(ElementType.Float32).Unsqueeze(-1);                                                     // (B, N, 1)
        Value Length() => (oneByOne ? places : places.MaxOver(1, keep: true).MaxOver(0, keep: true)) + 1;
        Value Row(float[] values) => positions.Graph.Constant<float>(values, 1, 1, Width / 2);
        var frequencies = Row(Frequencies());
        if (Rope.IsLongRope)
        {
            var isLong = positions.Graph.Scalar(ElementType.Float32, Trained).Less(Length());
            frequencies = isLong.Where(Row(Stretched(Rope.LongFactor)), frequencies);
        }
        else if (Rope.Kind == "dynamic")
        {
            // The base grows by (factor length / longest - factor + 1)^(width / (width - 2)) once sequences are longer.
            var growth = (Length().Max(positions.Graph.Scalar(ElementType.Float32, MaxPositions)) * (Factor / MaxPositions) - (Factor - 1)).Log();
            frequencies *= (growth * Row([.. Enumerable.Range(0, Width / 2).Select(i => (float)(-2.0 * i / (Width - 2)))])).Exp();
        }

        var angles = places * frequencies;
        return Gain == 1 ? (angles.Cos(), angles.Sin()) : (angles.Cos() * Gain, angles.Sin() * Gain);
    }

    private float[] Stretched(double[] factors)
    {
        if (Rope.IsLongRope && factors.Length != Width / 2)
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "LongRoPE has a factor for each pair of channels.") { Where = "short_factor, long_factor", Expected = $"{Width / 2} numbers", Found = $"{factors.Length}" };
        var frequencies = new float[Width / 2];
        for (var i = 0; i < frequencies.Length; i++)
        {
            var frequency = Math.Pow(Theta, -2.0 * i / Width);
            var kept = Kept(i, frequency);
            frequencies[i] = (float)(Rope.IsLongRope ? frequency / factors[i] : kept * frequency + (1 - kept) * frequency / Factor);
        }

        return frequencies;
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
