// Elucidating the Design Space of Diffusion-Based Generative Models, algorithm 1. Karras et al. arXiv:2206.00364. Published layout: diffusers HeunDiscreteScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Heun steps in sigma: two model calls a level; keys of diffusers' HeunDiscreteScheduler.</summary>
public sealed record HeunConfig : DiffusionConfig, ISigmaConfig
{
    /// <summary>With the library's defaults.</summary>
    public HeunConfig() => (BetaStart, BetaEnd, TimestepSpacing) = (0.00085, 0.012, TimestepSpacing.Linspace);

    /// <inheritdoc/>
    public bool? UseKarrasSigmas { get; init; }
    /// <inheritdoc/>
    public bool? UseExponentialSigmas { get; init; }
    /// <inheritdoc/>
    public bool? UseBetaSigmas { get; init; }
    /// <summary>Clip the predicted clean sample.</summary>
    public bool ClipSample { get; init; }
    /// <summary>To this range.</summary>
    public float ClipSampleRange { get; init; } = 1;

    double? ISigmaConfig.SigmaMin => null;
    double? ISigmaConfig.SigmaMax => null;

    /// <inheritdoc/>
    public override IScheduler Create() => new HeunScheduler(this);
}

internal sealed class HeunScheduler : SigmaScheduler
{
    private readonly HeunConfig _config;
    private readonly float[] _training;
    private readonly HeunState _state = new();
    private float[] _clean = [];

    public HeunScheduler(HeunConfig config) : base(config.TimestepSpacing)
    {
        _config = config;
        _training = SigmaSpacing.Training(config.AlphasCumprod(rescales: false));
    }

    public override void SetTimesteps(ScheduleRequest request)
    {
        var steps = request.Count;
        var timesteps = request.Timesteps?.ToArray()
            ?? Spacing.Timesteps(_config.TimestepSpacing, _config.NumTrainTimesteps, Spacing.Check(steps), _config.StepsOffset, round: false);
        var sigmas = Array.ConvertAll(timesteps, t => SigmaSpacing.Interpolate((float)t, _training));
        (sigmas, timesteps) = Respaced(_config, sigmas, timesteps, steps, SigmaSpacing.Logarithms(_training));
        _state.Reset();
        Begin(HeunState.Doubled(timesteps), [.. HeunState.Doubled(sigmas), 0]);
    }

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var (sigma, next) = _state.IsFirst ? (Sigma(), Sigma(1)) : (Sigma(-1), Sigma());
        var level = _state.IsFirst ? sigma : next;
        if (_clean.Length != x.Length) _clean = new float[x.Length];
        PredictFromSigma(_config.PredictionType, level, x, step.ModelOutput, _clean);
        if (_config.ClipSample) SpanMath.Clamp(_clean, -_config.ClipSampleRange, _config.ClipSampleRange);
        if (!step.Predicted.IsEmpty) _clean.CopyTo(step.Predicted);
        _state.Advance(x, _clean, level, next - sigma);
    }
}
