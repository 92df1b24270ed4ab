// Denoising Diffusion Implicit Models. Song, Meng, Ermon. arXiv:2010.02502. Published layout: diffusers DDIMScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Implicit sampling; keys of diffusers' DDIMScheduler.</summary>
public sealed record DdimConfig : DiffusionConfig, IClippingConfig
{
    /// <inheritdoc/>
    public bool ClipSample { get; init; } = true;
    /// <summary>The step after the last has alpha-bar 1; otherwise that of step 0.</summary>
    public bool SetAlphaToOne { get; init; } = true;
    /// <inheritdoc/>
    public float ClipSampleRange { get; init; } = 1;
    /// <inheritdoc/>
    public bool Thresholding { get; init; }
    /// <inheritdoc/>
    public double DynamicThresholdingRatio { get; init; } = 0.995;
    /// <inheritdoc/>
    public double SampleMaxValue { get; init; } = 1;

    /// <inheritdoc/>
    public override IScheduler Create() => new DdimScheduler(this);
}

internal sealed class DdimScheduler(DdimConfig config) : Scheduler
{
    private readonly float[] _alphas = config.AlphasCumprod();
    private int _stride = 1;
    private float[] _clean = [];
    private float[] _noise = [];

    public override bool HasWholeTimesteps => true;

    public override void SetTimesteps(ScheduleRequest request)
    {
        var steps = Spacing.Check(request.Count, config.NumTrainTimesteps);
        _stride = config.NumTrainTimesteps / steps;
        Begin(Spacing.Timesteps(config.TimestepSpacing, config.NumTrainTimesteps, steps, config.StepsOffset, round: true));
    }

    private protected override (float, float) NoiseLevelAt(float timestep) => (MathF.Sqrt(At(_alphas, (int)timestep)), MathF.Sqrt(1 - At(_alphas, (int)timestep)));

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var output = step.ModelOutput;
        var t = (int)Timesteps[StepIndex];
        var alpha = At(_alphas, t);
        var alphaPrevious = t >= _stride ? _alphas[t - _stride] : config.SetAlphaToOne ? 1 : _alphas[0];
        var beta = 1 - alpha;
        var (rootAlpha, rootBeta) = (MathF.Sqrt(alpha), MathF.Sqrt(beta));

        if (_clean.Length != x.Length) (_clean, _noise) = (new float[x.Length], new float[x.Length]);
        CleanSample.Predict(config.PredictionType, rootAlpha, rootBeta, x, output, _clean);
        CleanSample.PredictNoise(config.PredictionType, rootAlpha, rootBeta, x, output, _noise);
        CleanSample.Restrict(_clean, step.Shape, config);
        if (step.Options.UseClippedModelOutput) SpanMath.SubtractDivide(x, rootAlpha, _clean, rootBeta, _noise);
        if (!step.Predicted.IsEmpty) _clean.CopyTo(step.Predicted);

        // Equation 12, with sigma from equation 16.
        var eta = step.Options.Eta ?? 0;
        var deviation = eta * MathF.Sqrt((1 - alphaPrevious) / beta * (1 - alpha / alphaPrevious));
        SpanMath.Combine(MathF.Sqrt(alphaPrevious), _clean, MathF.Sqrt(1 - alphaPrevious - deviation * deviation), _noise, x);
        if (eta <= 0) return;
        step.Noise.Fill(_noise);
        SpanMath.Accumulate(deviation, _noise, x);
    }
}
