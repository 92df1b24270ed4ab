// Latent Consistency Models. Luo, Tan, Huang, Li, Zhao. arXiv:2310.04378. Published layout: diffusers LCMScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Consistency sampling in latent space; keys of diffusers' LCMScheduler.</summary>
public sealed record LcmConfig : DiffusionConfig, IClippingConfig
{
    /// <summary>With the library's defaults.</summary>
    public LcmConfig() => (BetaStart, BetaEnd, BetaSchedule) = (0.00085, 0.012, BetaSchedule.ScaledLinear);

    /// <summary>Steps of the teacher's schedule that the model was distilled on.</summary>
    public int OriginalInferenceSteps { get; init; } = 50;
    /// <inheritdoc/>
    public bool ClipSample { get; init; }
    /// <inheritdoc/>
    public float ClipSampleRange { get; init; } = 1;
    /// <summary>The step after the last has alpha-bar 1; otherwise that of step 0.</summary>
    public bool SetAlphaToOne { get; init; } = true;
    /// <inheritdoc/>
    public bool Thresholding { get; init; }
    /// <inheritdoc/>
    public double DynamicThresholdingRatio { get; init; } = 0.995;
    /// <inheritdoc/>
    public double SampleMaxValue { get; init; } = 1;
    /// <summary>Factor of the timestep in the boundary conditions.</summary>
    public double TimestepScaling { get; init; } = 10;

    /// <inheritdoc/>
    public override IScheduler Create() => new LcmScheduler(this);
}

internal sealed class LcmScheduler(LcmConfig config) : Scheduler
{
    private const double SigmaData = 0.5;
    private readonly float[] _alphas = config.AlphasCumprod();
    private float[] _clean = [];
    private float[] _noise = [];

    public override bool HasWholeTimesteps => true;

    public override void SetTimesteps(ScheduleRequest request) =>
        Begin(DistilledSpacing.Timesteps(request, config.NumTrainTimesteps, config.OriginalInferenceSteps));

    private protected override (float, float) NoiseLevelAt(float timestep) => (MathF.Sqrt(At(_alphas, (int)timestep)), MathF.Sqrt(1 - At(_alphas, (int)timestep)));

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var t = (int)Timesteps[StepIndex];
        var alpha = _alphas[t];
        if (_clean.Length != x.Length) (_clean, _noise) = (new float[x.Length], new float[x.Length]);
        CleanSample.Predict(config.PredictionType, MathF.Sqrt(alpha), MathF.Sqrt(1 - alpha), x, step.ModelOutput, _clean);
        CleanSample.Restrict(_clean, step.Shape, config);

        // Boundary conditions of consistency models, appendix C.
        var scaled = t * config.TimestepScaling;
        var skip = SigmaData * SigmaData / (scaled * scaled + SigmaData * SigmaData);
        var outward = scaled / Math.Sqrt(scaled * scaled + SigmaData * SigmaData);
        SpanMath.Combine((float)outward, _clean, (float)skip, x, x);
        if (!step.Predicted.IsEmpty) x.CopyTo(step.Predicted);
        if (IsLast()) return;

        var alphaNext = _alphas[(int)Timesteps[StepIndex + 1]];
        step.Noise.Fill(_noise);
        SpanMath.Combine(MathF.Sqrt(alphaNext), x, MathF.Sqrt(1 - alphaNext), _noise, x);
    }
}
