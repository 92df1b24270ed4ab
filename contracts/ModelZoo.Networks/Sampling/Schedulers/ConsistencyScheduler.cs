// Consistency Models, algorithm 1. Song, Dhariwal, Chen, Sutskever. arXiv:2303.01469. Published layout: diffusers CMStochasticIterativeScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Multistep consistency sampling; keys of diffusers' CMStochasticIterativeScheduler.</summary>
public sealed record ConsistencyConfig : ISchedulerConfig
{
    /// <summary>Levels of the training schedule.</summary>
    public int NumTrainTimesteps { get; init; } = 40;
    /// <summary>Smallest level.</summary>
    public double SigmaMin { get; init; } = 0.002;
    /// <summary>Largest level.</summary>
    public double SigmaMax { get; init; } = 80;
    /// <summary>Standard deviation of the data.</summary>
    public double SigmaData { get; init; } = 0.5;
    /// <summary>Factor of the noise.</summary>
    public double SNoise { get; init; } = 1;
    /// <summary>Exponent of the level spacing.</summary>
    public double Rho { get; init; } = 7;
    /// <summary>Clip the clean sample to -1..1.</summary>
    public bool ClipDenoised { get; init; } = true;

    /// <inheritdoc/>
    public IScheduler Create() => new ConsistencyScheduler(this);
}

internal sealed class ConsistencyScheduler(ConsistencyConfig config) : Scheduler
{
    private float[] _noise = [];

    public override bool HasWholeTimesteps => false;

    public override float InitNoiseSigma => (float)config.SigmaMax;

    public override void SetTimesteps(ScheduleRequest request)
    {
        var trained = config.NumTrainTimesteps;
        var levels = request.Timesteps?.ToArray()
            ?? Spacing.Timesteps(TimestepSpacing.Leading, trained, Spacing.Check(request.Count, trained), 0, round: true);
        Array.Reverse(levels);
        var (low, high) = (Math.Pow(config.SigmaMin, 1 / config.Rho), Math.Pow(config.SigmaMax, 1 / config.Rho));
        var sigmas = Array.ConvertAll(levels, level => Math.Pow(high + level / (trained - 1) * (low - high), config.Rho));
        Begin(sigmas.Select(sigma => 250 * Math.Log(sigma + 1e-44)), [.. sigmas, config.SigmaMin]);
    }

    public override void ScaleModelInput(ReadOnlySpan<float> sample, Span<float> destination) =>
        SpanMath.Divide(sample, MathF.Sqrt(Sigma() * Sigma() + (float)(config.SigmaData * config.SigmaData)), destination);

    private protected override (float, float) NoiseLevelAt(float timestep) => (1, Sigmas[IndexOf(timestep)]);

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var sigma = Sigma();
        var next = StepIndex + 1 < config.NumTrainTimesteps ? Sigma(1) : Sigmas[^1];
        var (min, data) = ((float)config.SigmaMin, (float)config.SigmaData);

        // Equation 5 with the boundary at the smallest level.
        var above = sigma - min;
        SpanMath.Combine(above * data / MathF.Sqrt(sigma * sigma + data * data), step.ModelOutput, data * data / (above * above + data * data), x, x);
        if (config.ClipDenoised) SpanMath.Clamp(x, -1, 1);
        if (!step.Predicted.IsEmpty) x.CopyTo(step.Predicted);
        if (Timesteps.Length == 1) return;

        if (_noise.Length != x.Length) _noise = new float[x.Length];
        step.Noise.Fill(_noise);
        var target = Math.Clamp(next, min, (float)config.SigmaMax);
        SpanMath.Accumulate((float)config.SNoise * MathF.Sqrt(target * target - min * min), _noise, x);
    }
}
