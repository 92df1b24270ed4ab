// Ancestral sampling with Euler steps, as in k-diffusion (github.com/crowsonkb/k-diffusion). Published layout: diffusers EulerAncestralDiscreteScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>An Euler step below the next level, then noise up to it; keys of diffusers' EulerAncestralDiscreteScheduler.</summary>
public sealed record EulerAncestralConfig : DiffusionConfig
{
    /// <summary>With the library's defaults.</summary>
    public EulerAncestralConfig() => TimestepSpacing = TimestepSpacing.Linspace;

    /// <inheritdoc/>
    public override IScheduler Create() => new EulerAncestralScheduler(this);
}

internal sealed class EulerAncestralScheduler : SigmaScheduler
{
    private readonly EulerAncestralConfig _config;
    private readonly float[] _training;
    private float[] _noise = [];
    private float[] _clean = [];

    public EulerAncestralScheduler(EulerAncestralConfig config) : base(config.TimestepSpacing)
    {
        _config = config;
        _training = SigmaSpacing.Training(config.AlphasCumprod(finite: true));
    }

    public override void SetTimesteps(ScheduleRequest request)
    {
        var steps = Spacing.Check(request.Count);
        var timesteps = Spacing.Timesteps(_config.TimestepSpacing, _config.NumTrainTimesteps, steps, _config.StepsOffset, round: false);
        Begin(timesteps, [.. timesteps.Select(t => SigmaSpacing.Interpolate((float)t, _training)), 0]);
    }

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var from = Sigma();
        var to = Sigma(1);
        if (_config.PredictionType is not (PredictionType.Epsilon or PredictionType.VPrediction)) throw CleanSample.Refused(_config.PredictionType);
        if (_clean.Length != x.Length) (_clean, _noise) = (new float[x.Length], new float[x.Length]);
        PredictFromSigma(_config.PredictionType, from, x, step.ModelOutput, _clean);
        if (!step.Predicted.IsEmpty) _clean.CopyTo(step.Predicted);

        var up = MathF.Sqrt(to * to * (from * from - to * to) / (from * from));
        var down = MathF.Sqrt(to * to - up * up);
        EulerStep(x, _clean, from, down - from);
        step.Noise.Fill(_noise);
        SpanMath.Accumulate(up, _noise, x);
    }
}
