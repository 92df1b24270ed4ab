using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>What a network of an interpolant predicts.</summary>
internal enum FlowPrediction
{
    /// <summary>The velocity dx/dt.</summary>
    Velocity,
    /// <summary>The noise.</summary>
    Noise,
    /// <summary>The score, the gradient of the log density.</summary>
    Score,
}

/// <summary>
/// A path x_t = alpha(t) data + sigma(t) noise from noise at t = 0 to data at t = 1 (Albergo et al., arXiv:2303.08797; Ma et al., arXiv:2401.08740, table 1), in the words of SiT's transport/path.py.
/// </summary>
internal abstract class Interpolant
{
    /// <summary>Names of the published paths: Linear, GVP, VP.</summary>
    public static Interpolant Parse(string name) => name switch
    {
        "Linear" => new LinearPath(),
        "GVP" => new TrigonometricPath(),
        "VP" => new VariancePreservingPath(),
        _ => throw new OptionsException(ErrorCodes.OptionUnknown, "No such path.") { Where = "path_type", Expected = "Linear, GVP, VP", Found = name },
    };

    /// <summary>Factor of the data and its derivative.</summary>
    public abstract (float Value, float Slope) Alpha(float t);

    /// <summary>Factor of the noise and its derivative.</summary>
    public abstract (float Value, float Slope) Sigma(float t);

    /// <summary>The drift's factor of x, and the factor of the score: velocity = -Mean x + Score score.</summary>
    public virtual (float Mean, float Score) Drift(float t)
    {
        var ratio = LogSlope(t);
        var (sigma, slope) = Sigma(t);
        return (-ratio, ratio * sigma * sigma - sigma * slope);
    }

    /// <summary>True when the path is singular at t = 0 for predictions other than the velocity, and for the SBDM diffusion.</summary>
    public virtual bool SingularAtNoise => true;

    /// <summary>The coefficient w(t) of the reverse stochastic equation; section 2.3 of SiT leaves it free.</summary>
    public float Diffusion(float t, string form, float norm) => form switch
    {
        "constant" => norm,
        "SBDM" => norm * Drift(t).Score,
        "sigma" => norm * Sigma(t).Value,
        "linear" => norm * (1 - t),
        "decreasing" => 0.25f * MathF.Pow(norm * MathF.Cos(MathF.PI * t) + 1, 2),
        // The published name has three c.
        "inccreasing-decreasing" => norm * MathF.Pow(MathF.Sin(MathF.PI * t), 2),
        _ => throw new OptionsException(ErrorCodes.OptionUnknown, "No such diffusion.")
        { Where = "diffusion_form", Expected = "constant, SBDM, sigma, linear, decreasing, inccreasing-decreasing", Found = form },
    };

    /// <summary>velocity = x Sample + prediction Prediction.</summary>
    public (float Sample, float Prediction) VelocityFactors(FlowPrediction prediction, float t)
    {
        var (mean, score) = Drift(t);
        return prediction switch
        {
            FlowPrediction.Velocity => (0, 1),
            FlowPrediction.Noise => (-mean, -score / Sigma(t).Value),
            _ => (-mean, score),
        };
    }

    /// <summary>score = x Sample + prediction Prediction.</summary>
    public (float Sample, float Prediction) ScoreFactors(FlowPrediction prediction, float t)
    {
        if (prediction == FlowPrediction.Score) return (0, 1);
        var (sigma, sigmaSlope) = Sigma(t);
        if (prediction == FlowPrediction.Noise) return (0, -1 / sigma);
        var (alpha, alphaSlope) = Alpha(t);
        var ratio = alpha / alphaSlope;
        var variance = sigma * sigma - ratio * sigmaSlope * sigma;
        return (-1 / variance, ratio / variance);
    }

    private protected abstract float LogSlope(float t);

    private sealed class LinearPath : Interpolant
    {
        public override (float, float) Alpha(float t) => (t, 1);

        public override (float, float) Sigma(float t) => (1 - t, -1);

        private protected override float LogSlope(float t) => 1 / t;
    }

    private sealed class TrigonometricPath : Interpolant
    {
        private const float HalfPi = MathF.PI / 2;

        public override (float, float) Alpha(float t) => (MathF.Sin(t * HalfPi), HalfPi * MathF.Cos(t * HalfPi));

        public override (float, float) Sigma(float t) => (MathF.Cos(t * HalfPi), -HalfPi * MathF.Sin(t * HalfPi));

        private protected override float LogSlope(float t) => MathF.PI / (2 * MathF.Tan(t * HalfPi));
    }

    private sealed class VariancePreservingPath : Interpolant
    {
        private const float Lowest = 0.1f, Highest = 20;

        public override bool SingularAtNoise => false;

        public override (float, float) Alpha(float t) => (MathF.Exp(LogMean(t)), MathF.Exp(LogMean(t)) * LogSlope(t));

        public override (float, float) Sigma(float t)
        {
            var power = MathF.Exp(2 * LogMean(t));
            var sigma = MathF.Sqrt(1 - power);
            return (sigma, power * (2 * LogSlope(t)) / (-2 * sigma));
        }

        public override (float, float) Drift(float t)
        {
            var beta = Lowest + (1 - t) * (Highest - Lowest);
            return (-0.5f * beta, beta / 2);
        }

        private protected override float LogSlope(float t) => 0.5f * (1 - t) * (Highest - Lowest) + 0.5f * Lowest;

        private static float LogMean(float t) => -0.25f * (1 - t) * (1 - t) * (Highest - Lowest) - 0.5f * (1 - t) * Lowest;
    }
}
