// Elucidating the Design Space of Diffusion-Based Generative Models. Karras, Aittala, Aila, Laine. arXiv:2206.00364. Published layout: diffusers EDMEulerScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Euler steps with EDM's preconditioning; keys of diffusers' EDMEulerScheduler.</summary>
public sealed record EdmEulerConfig : EdmConfig
{
    /// <inheritdoc/>
    public override IScheduler Create() => new EdmEulerScheduler(this);
}

internal sealed class EdmEulerScheduler(EdmEulerConfig config) : Scheduler
{
    private float[] _clean = [];
    private float[] _noise = [];

    public override bool HasWholeTimesteps => false;

    public override float InitNoiseSigma => config.InitNoiseSigma;

    public override void SetTimesteps(ScheduleRequest request)
    {
        double[] sigmas;
        if (config.SigmaSchedule == EdmSchedule.Exponential) sigmas = config.ExponentialSigmas(request.Sigmas?.Count ?? request.Count);
        else if (request.Sigmas is { } ramp) sigmas = [.. ramp.Select(r => Karras(r))];
        else sigmas = Array.ConvertAll(Spacing.Linspace(0, 1, request.Count), Karras);
        Begin(sigmas.Select(EdmConfig.Timestep), [.. sigmas, config.FinalSigmasType == FinalSigma.SigmaMin ? sigmas[^1] : 0]);
    }

    public override void ScaleModelInput(ReadOnlySpan<float> sample, Span<float> destination) => SpanMath.Scale(config.InputScale(Sigma()), sample, destination);

    private protected override (float, float) NoiseLevelAt(float timestep) => (1, Sigmas[IndexOf(timestep)]);

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var sigma = Sigma();
        if (_clean.Length != x.Length) (_clean, _noise) = (new float[x.Length], new float[x.Length]);
        var raised = Churn(step, sigma, _noise);
        config.Denoise(raised, x, step.ModelOutput, _clean);
        if (!step.Predicted.IsEmpty) _clean.CopyTo(step.Predicted);
        EulerStep(x, _clean, raised, Sigma(1) - raised);
    }

    private double Karras(double ramp)
    {
        var (low, high) = (Math.Pow(config.SigmaMin, 1 / config.Rho), Math.Pow(config.SigmaMax, 1 / config.Rho));
        return Math.Pow(high + ramp * (low - high), config.Rho);
    }
}
