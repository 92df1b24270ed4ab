// Denoising Diffusion Probabilistic Models. Ho, Jain, Abbeel. arXiv:2006.11239; learned variance: Improved DDPM, arXiv:2102.09672. Published layout: diffusers DDPMScheduler.
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Ancestral sampling; keys of diffusers' DDPMScheduler.</summary>
public sealed record DdpmConfig : DiffusionConfig, IClippingConfig
{
    /// <summary>Variance of the posterior.</summary>
    public VarianceType VarianceType { get; init; } = VarianceType.FixedSmall;
    /// <inheritdoc/>
    public bool ClipSample { get; init; } = true;
    /// <inheritdoc/>
    public float ClipSampleRange { get; init; } = 1;
    /// <inheritdoc/>
    public bool Thresholding { get; init; }
    /// <inheritdoc/>
    public double DynamicThresholdingRatio { get; init; } = 0.995;
    /// <inheritdoc/>
    public double SampleMaxValue { get; init; } = 1;

    /// <inheritdoc/>
    public override IScheduler Create() => new DdpmScheduler(this);
}

internal sealed class DdpmScheduler(DdpmConfig config) : Scheduler
{
    private readonly float[] _alphas = config.AlphasCumprod();
    private float[] _clean = [];
    private float[] _noise = [];

    public override bool HasWholeTimesteps => true;

    public override void SetTimesteps(ScheduleRequest request)
    {
        if (request.Timesteps is not { } given)
        {
            Begin(Spacing.Timesteps(config.TimestepSpacing, config.NumTrainTimesteps, Spacing.Check(request.Count, config.NumTrainTimesteps), config.StepsOffset, round: true));
            return;
        }

        if (given.Zip(given.Skip(1)).Any(pair => pair.Second >= pair.First) || given[0] >= config.NumTrainTimesteps)
            throw new OptionsException(ErrorCodes.OptionRange, "Timesteps must descend from below the number of training steps.") { Where = "timesteps" };
        Begin(given);
    }

    private protected override (float, float) NoiseLevelAt(float timestep) => (MathF.Sqrt(At(_alphas, (int)timestep)), MathF.Sqrt(1 - At(_alphas, (int)timestep)));

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var shape = step.Shape;
        var t = (int)Timesteps[StepIndex];
        var alpha = At(_alphas, t);
        var alphaPrevious = IsLast() || Timesteps[StepIndex + 1] < 0 ? 1 : _alphas[(int)Timesteps[StepIndex + 1]];
        var (beta, betaPrevious) = (1 - alpha, 1 - alphaPrevious);
        var alphaStep = alpha / alphaPrevious;
        var betaStep = 1 - alphaStep;

        var output = step.ModelOutput;
        float[]? learned = null;
        if (output.Length == 2 * shape.Length && config.VarianceType is VarianceType.Learned or VarianceType.LearnedRange)
        {
            (var mean, learned) = CleanSample.Split(output, shape);
            output = mean;
        }

        if (_clean.Length != x.Length) (_clean, _noise) = (new float[x.Length], new float[x.Length]);
        CleanSample.Predict(config.PredictionType, MathF.Sqrt(alpha), MathF.Sqrt(beta), x, output, _clean);
        CleanSample.Restrict(_clean, shape, config);
        if (!step.Predicted.IsEmpty) _clean.CopyTo(step.Predicted);

        // Equation 7: the posterior's mean.
        SpanMath.Combine(MathF.Sqrt(alphaPrevious) * betaStep / beta, _clean, MathF.Sqrt(alphaStep) * betaPrevious / beta, x, x);
        if (t <= 0) return;

        step.Noise.Fill(_noise);
        var variance = Math.Max(betaPrevious / beta * betaStep, 1e-20f);
        if (learned is null)
        {
            SpanMath.Accumulate(Deviation(variance, betaStep), _noise, x);
            return;
        }

        var (minLog, maxLog) = (MathF.Log(variance), MathF.Log(betaStep));
        for (var i = 0; i < x.Length; i++)
        {
            var share = (learned[i] + 1) / 2;
            x[i] += (config.VarianceType == VarianceType.Learned ? MathF.Sqrt(learned[i]) : MathF.Exp(0.5f * (share * maxLog + (1 - share) * minLog))) * _noise[i];
        }
    }

    private float Deviation(float variance, float betaStep) => config.VarianceType switch
    {
        VarianceType.FixedSmall => MathF.Sqrt(variance),
        VarianceType.FixedSmallLog => MathF.Exp(0.5f * MathF.Log(variance)),
        VarianceType.FixedLarge => MathF.Sqrt(betaStep),
        VarianceType.FixedLargeLog => MathF.Sqrt(MathF.Log(betaStep)),
        _ => throw new ModelZooException(ErrorCodes.ConfigInvalid, "A learned variance needs a model that gives twice the channels.") { Where = "variance_type" },
    };
}
