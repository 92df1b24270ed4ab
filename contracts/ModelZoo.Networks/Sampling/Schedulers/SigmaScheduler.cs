namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>How the levels between the largest and the smallest are spaced; keys as published.</summary>
internal interface ISigmaConfig
{
    /// <summary>Space them as Karras et al.</summary>
    bool? UseKarrasSigmas { get; }
    /// <summary>Space them evenly in log sigma.</summary>
    bool? UseExponentialSigmas { get; }
    /// <summary>Space them by quantiles of a beta distribution.</summary>
    bool? UseBetaSigmas { get; }
    /// <summary>Smallest level of such a spacing, instead of the schedule's.</summary>
    double? SigmaMin { get; }
    /// <summary>Largest level of such a spacing, instead of the schedule's.</summary>
    double? SigmaMax { get; }
}

/// <summary>Schedulers whose sample is x0 + sigma noise.</summary>
internal abstract class SigmaScheduler(TimestepSpacing spacing) : Scheduler
{
    public override bool HasWholeTimesteps => false;

    public override float InitNoiseSigma
    {
        get
        {
            var max = 0f;
            foreach (var sigma in Sigmas) max = Math.Max(max, sigma);
            return spacing == TimestepSpacing.Leading ? MathF.Sqrt(max * max + 1) : max;
        }
    }

    public override void ScaleModelInput(ReadOnlySpan<float> sample, Span<float> destination)
    {
        var sigma = Sigma();
        SpanMath.Divide(sample, MathF.Sqrt(sigma * sigma + 1), destination);
    }

    private protected override (float, float) NoiseLevelAt(float timestep) => (1, Sigmas[IndexOf(timestep)]);

    /// <summary>Levels and timesteps under the spacing that the configuration asks for.</summary>
    private protected static (double[] Sigmas, double[] Timesteps) Respaced(ISigmaConfig config, double[] sigmas, double[] timesteps, int steps, float[] logSigmas)
    {
        var (min, max) = (config.SigmaMin ?? sigmas[^1], config.SigmaMax ?? sigmas[0]);
        if (config.UseKarrasSigmas == true) sigmas = SigmaSpacing.Karras(max, min, steps);
        else if (config.UseExponentialSigmas == true) sigmas = SigmaSpacing.Exponential(max, min, steps);
        else if (config.UseBetaSigmas == true) sigmas = SigmaSpacing.Beta(max, min, steps);
        else return (sigmas, timesteps);
        return (sigmas, Array.ConvertAll(sigmas, sigma => SigmaSpacing.Timestep(sigma, logSigmas)));
    }

    /// <summary>The clean sample that a model's output implies at a level.</summary>
    private protected static void PredictFromSigma(PredictionType type, float sigma, ReadOnlySpan<float> x, ReadOnlySpan<float> output, Span<float> clean)
    {
        var variance = sigma * sigma + 1;
        if (type == PredictionType.VPrediction)
        {
            SpanMath.Divide(x, variance, clean);
            SpanMath.Accumulate(-sigma / MathF.Sqrt(variance), output, clean);
            return;
        }

        CleanSample.Predict(type, 1, sigma, x, output, clean);
    }
}
