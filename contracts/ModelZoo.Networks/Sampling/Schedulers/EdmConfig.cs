namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>What EDM's configurations have in common; keys as published.</summary>
public abstract record EdmConfig : ISchedulerConfig
{
    /// <summary>Smallest level.</summary>
    public double SigmaMin { get; init; } = 0.002;
    /// <summary>Largest level.</summary>
    public double SigmaMax { get; init; } = 80;
    /// <summary>Standard deviation of the data.</summary>
    public double SigmaData { get; init; } = 0.5;
    /// <summary>How levels are spaced.</summary>
    public EdmSchedule SigmaSchedule { get; init; }
    /// <summary>Levels of the training schedule.</summary>
    public int NumTrainTimesteps { get; init; } = 1000;
    /// <summary>What the model gives.</summary>
    public PredictionType PredictionType { get; init; } = PredictionType.Epsilon;
    /// <summary>Exponent of the level spacing.</summary>
    public double Rho { get; init; } = 7;
    /// <summary>The last level.</summary>
    public FinalSigma FinalSigmasType { get; init; }

    /// <inheritdoc/>
    public abstract IScheduler Create();

    /// <summary>Standard deviation of a sample at the largest level.</summary>
    internal float InitNoiseSigma => (float)Math.Sqrt(SigmaMax * SigmaMax + 1);

    /// <summary>Levels evenly spaced in the logarithm, rounded to float32.</summary>
    internal double[] ExponentialSigmas(int steps)
    {
        var sigmas = Array.ConvertAll(Spacing.Linspace32((float)Math.Log(SigmaMin), (float)Math.Log(SigmaMax), steps), x => (double)MathF.Exp(x));
        Array.Reverse(sigmas);
        return sigmas;
    }

    /// <summary>What the model is told of a level: a quarter of its logarithm.</summary>
    internal static double Timestep(double sigma) => 0.25f * MathF.Log((float)sigma);

    /// <summary>c_in of table 1.</summary>
    internal float InputScale(float sigma) => 1 / MathF.Sqrt(sigma * sigma + (float)(SigmaData * SigmaData));

    /// <summary>Equation 7: the clean sample from the model's output.</summary>
    internal void Denoise(float sigma, ReadOnlySpan<float> x, ReadOnlySpan<float> output, Span<float> clean)
    {
        var data = (float)SigmaData;
        var variance = sigma * sigma + (float)(SigmaData * SigmaData);
        var outward = sigma * data / MathF.Sqrt(variance);
        SpanMath.Combine((float)(SigmaData * SigmaData) / variance, x, PredictionType switch
        {
            PredictionType.Epsilon => outward,
            PredictionType.VPrediction => -outward,
            _ => throw CleanSample.Refused(PredictionType),
        }, output, clean);
    }
}
