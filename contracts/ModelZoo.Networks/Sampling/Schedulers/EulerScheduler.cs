// Elucidating the Design Space of Diffusion-Based Generative Models, algorithm 2 without its correction. Karras et al. arXiv:2206.00364. Published layout: diffusers EulerDiscreteScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Euler steps in sigma; keys of diffusers' EulerDiscreteScheduler.</summary>
public sealed record EulerConfig : DiffusionConfig, ISigmaConfig
{
    /// <summary>With the library's defaults.</summary>
    public EulerConfig() => TimestepSpacing = TimestepSpacing.Linspace;

    /// <summary>How levels between training steps are found.</summary>
    public SigmaInterpolation InterpolationType { get; init; }
    /// <inheritdoc/>
    public bool? UseKarrasSigmas { get; init; }
    /// <inheritdoc/>
    public bool? UseExponentialSigmas { get; init; }
    /// <inheritdoc/>
    public bool? UseBetaSigmas { get; init; }
    /// <inheritdoc/>
    public double? SigmaMin { get; init; }
    /// <inheritdoc/>
    public double? SigmaMax { get; init; }
    /// <summary>What the model is told.</summary>
    public TimestepType TimestepType { get; init; }
    /// <summary>The last level.</summary>
    public FinalSigma FinalSigmasType { get; init; }

    /// <inheritdoc/>
    public override IScheduler Create() => new EulerScheduler(this);
}

internal sealed class EulerScheduler : SigmaScheduler
{
    private readonly EulerConfig _config;
    private readonly float[] _training;
    private float[] _noise = [];
    private float[] _clean = [];

    public EulerScheduler(EulerConfig config) : base(config.TimestepSpacing)
    {
        _config = config;
        _training = SigmaSpacing.Training(config.AlphasCumprod(finite: true));
    }

    public override void SetTimesteps(ScheduleRequest request)
    {
        var logSigmas = SigmaSpacing.Logarithms(_training);
        double[] timesteps, sigmas;
        if (request.Sigmas is { } given)
        {
            sigmas = [.. given];
            timesteps = Array.ConvertAll(sigmas[..^1], sigma => SigmaSpacing.Timestep((float)sigma, logSigmas));
        }
        else
        {
            var steps = request.Count;
            timesteps = request.Timesteps?.ToArray()
                ?? Spacing.Timesteps(_config.TimestepSpacing, _config.NumTrainTimesteps, Spacing.Check(steps), _config.StepsOffset, round: false);
            sigmas = _config.InterpolationType == SigmaInterpolation.Linear
                ? Array.ConvertAll(timesteps, t => SigmaSpacing.Interpolate((float)t, _training))
                : Array.ConvertAll(Spacing.Linspace32(logSigmas[^1], logSigmas[0], steps + 1), x => (double)MathF.Exp(x));
            (sigmas, timesteps) = Respaced(_config, sigmas, timesteps, steps, logSigmas);
            sigmas = [.. sigmas, _config.FinalSigmasType == FinalSigma.SigmaMin ? _training[0] : 0];
        }

        if (_config.TimestepType == TimestepType.Continuous && _config.PredictionType == PredictionType.VPrediction)
            timesteps = Array.ConvertAll(sigmas[..^1], sigma => (double)(0.25f * MathF.Log((float)sigma)));
        Begin(timesteps, sigmas);
    }

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var sigma = Sigma();
        if (_clean.Length != x.Length) (_clean, _noise) = (new float[x.Length], new float[x.Length]);
        var raised = Churn(step, sigma, _noise);
        // As published, v is read at the level before churn.
        var level = _config.PredictionType == PredictionType.VPrediction ? sigma : raised;
        PredictFromSigma(_config.PredictionType, level, x, step.ModelOutput, _clean);
        if (!step.Predicted.IsEmpty) _clean.CopyTo(step.Predicted);
        EulerStep(x, _clean, raised, Sigma(1) - raised);
    }
}
