// Heun's method along a straight flow, as used with Stable Diffusion 3 (arXiv:2403.03206). Published layout: diffusers FlowMatchHeunDiscreteScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Heun steps along a straight flow; keys of diffusers' FlowMatchHeunDiscreteScheduler.</summary>
public sealed record FlowMatchHeunConfig : ISchedulerConfig
{
    /// <summary>What the model is told at time 1.</summary>
    public int NumTrainTimesteps { get; init; } = 1000;
    /// <summary>Static shift.</summary>
    public double Shift { get; init; } = 1;

    /// <inheritdoc/>
    public IScheduler Create() => new FlowMatchHeunScheduler(this);
}

internal sealed class FlowMatchHeunScheduler(FlowMatchHeunConfig config) : Scheduler
{
    private readonly HeunState _state = new();
    private float[] _clean = [];
    private float[] _noise = [];

    public override bool HasWholeTimesteps => false;

    public override void SetTimesteps(ScheduleRequest request)
    {
        var trained = config.NumTrainTimesteps;
        var (largest, smallest) = ((float)SigmaSpacing.Shift(1, config.Shift), (float)SigmaSpacing.Shift(1f / trained, config.Shift));
        var times = Array.ConvertAll(Spacing.Linspace((double)largest * trained, (double)smallest * trained, request.Count), t => SigmaSpacing.Shift(t / trained, config.Shift));
        _state.Reset();
        Begin(HeunState.Doubled(Array.ConvertAll(times, t => (double)((float)t * trained))), [.. HeunState.Doubled(times), 0]);
    }

    private protected override (float, float) NoiseLevelAt(float timestep)
    {
        var sigma = Sigmas[IndexOf(timestep)];
        return (1 - sigma, sigma);
    }

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        if (_clean.Length != x.Length) (_clean, _noise) = (new float[x.Length], new float[x.Length]);
        var first = _state.IsFirst;
        var (sigma, next) = first ? (Sigma(), Sigma(1)) : (Sigma(-1), Sigma());
        var raised = Churn(step, sigma, _noise);
        SpanMath.Combine(1, x, first ? -sigma : -next, step.ModelOutput, _clean);
        if (!step.Predicted.IsEmpty) _clean.CopyTo(step.Predicted);
        _state.Advance(x, _clean, first ? raised : next, next - raised);
    }
}
