// Trajectory Consistency Distillation. Zheng et al. arXiv:2402.19159. Published layout: diffusers TCDScheduler.
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Strategic stochastic sampling of a trajectory consistency model; keys of diffusers' TCDScheduler.</summary>
public sealed record TcdConfig : DiffusionConfig
{
    /// <summary>With the library's defaults.</summary>
    public TcdConfig() => (BetaStart, BetaEnd, BetaSchedule) = (0.00085, 0.012, BetaSchedule.ScaledLinear);

    /// <summary>Steps of the teacher's schedule that the model was distilled on.</summary>
    public int OriginalInferenceSteps { get; init; } = 50;

    /// <inheritdoc/>
    public override IScheduler Create() => new TcdScheduler(this);
}

internal sealed class TcdScheduler(TcdConfig config) : Scheduler
{
    private readonly float[] _alphas = config.AlphasCumprod();
    private float[] _clean = [];
    private float[] _noise = [];

    public override bool HasWholeTimesteps => true;

    public override void SetTimesteps(ScheduleRequest request) =>
        Begin(DistilledSpacing.Timesteps(request, config.NumTrainTimesteps, config.OriginalInferenceSteps, everyStepWhenGiven: true));

    private protected override (float, float) NoiseLevelAt(float timestep) => (MathF.Sqrt(At(_alphas, (int)timestep)), MathF.Sqrt(1 - At(_alphas, (int)timestep)));

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var gamma = step.Options.Eta ?? 0.3f;
        if (gamma is < 0 or > 1) throw new OptionsException(ErrorCodes.OptionRange, "Gamma is a share.") { Where = "eta", Expected = "0..1", Found = gamma.ToString() };
        var previous = IsLast() ? 0 : (int)Timesteps[StepIndex + 1];
        var target = (int)MathF.Floor((float)(1 - (double)gamma) * previous);
        var (alpha, alphaPrevious, alphaTarget) = (_alphas[(int)Timesteps[StepIndex]], _alphas[previous], _alphas[target]);
        var (rootAlpha, rootBeta) = (MathF.Sqrt(alpha), MathF.Sqrt(1 - alpha));

        if (_clean.Length != x.Length) (_clean, _noise) = (new float[x.Length], new float[x.Length]);
        CleanSample.Predict(config.PredictionType, rootAlpha, rootBeta, x, step.ModelOutput, _clean);
        CleanSample.PredictNoise(config.PredictionType, rootAlpha, rootBeta, x, step.ModelOutput, _noise);
        if (!step.Predicted.IsEmpty) _clean.CopyTo(step.Predicted);
        SpanMath.Combine(MathF.Sqrt(alphaTarget), _clean, MathF.Sqrt(1 - alphaTarget), _noise, x);
        if (gamma == 0 || IsLast()) return;

        step.Noise.Fill(_noise);
        var ratio = alphaPrevious / alphaTarget;
        SpanMath.Combine(MathF.Sqrt(ratio), x, MathF.Sqrt(1 - ratio), _noise, x);
    }
}
