// Scaling Rectified Flow Transformers for High-Resolution Image Synthesis. Esser et al. arXiv:2403.03206. Published layout: diffusers FlowMatchEulerDiscreteScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Euler steps along a straight flow; keys of diffusers' FlowMatchEulerDiscreteScheduler.</summary>
public sealed record FlowMatchEulerConfig : ISchedulerConfig, ISigmaConfig
{
    /// <summary>What the model is told at time 1.</summary>
    public int NumTrainTimesteps { get; init; } = 1000;
    /// <summary>Static shift.</summary>
    public double Shift { get; init; } = 1;
    /// <summary>Shift by each request's mu instead.</summary>
    public bool UseDynamicShifting { get; init; }
    /// <summary>Mu at the smallest sequence.</summary>
    public double? BaseShift { get; init; } = 0.5;
    /// <summary>Mu at the largest sequence.</summary>
    public double? MaxShift { get; init; } = 1.15;
    /// <summary>Smallest sequence of image tokens.</summary>
    public int BaseImageSeqLen { get; init; } = 256;
    /// <summary>Largest sequence of image tokens.</summary>
    public int MaxImageSeqLen { get; init; } = 4096;
    /// <summary>Run from 0 to 1.</summary>
    public bool InvertSigmas { get; init; }
    /// <summary>Stretch so that the last time is this.</summary>
    public double? ShiftTerminal { get; init; }
    /// <inheritdoc/>
    public bool? UseKarrasSigmas { get; init; }
    /// <inheritdoc/>
    public bool? UseExponentialSigmas { get; init; }
    /// <inheritdoc/>
    public bool? UseBetaSigmas { get; init; }
    /// <summary>How mu shifts.</summary>
    public TimeShift TimeShiftType { get; init; }
    /// <summary>Renew the noise at each step.</summary>
    public bool StochasticSampling { get; init; }

    double? ISigmaConfig.SigmaMin => null;
    double? ISigmaConfig.SigmaMax => null;

    /// <summary>The mu of an image of that many tokens: linear between the smallest and the largest sequence.</summary>
    public double Mu(int imageTokens)
    {
        var (low, high) = (BaseShift ?? 0.5, MaxShift ?? 1.15);
        return low + (high - low) * (imageTokens - BaseImageSeqLen) / (MaxImageSeqLen - BaseImageSeqLen);
    }

    /// <inheritdoc/>
    public IScheduler Create() => new FlowMatchEulerScheduler(this);
}

internal sealed class FlowMatchEulerScheduler(FlowMatchEulerConfig config) : Scheduler
{
    private float[] _noise = [];

    public override bool HasWholeTimesteps => false;

    public override void SetTimesteps(ScheduleRequest request)
    {
        var (steps, trained) = (request.Sigmas?.Count ?? request.Count, config.NumTrainTimesteps);
        double[] times = request.Sigmas is { } given ? [.. given.Select(t => (double)(float)t)]
            : request.Timesteps is { } steady ? [.. steady.Select(t => (double)((float)t / trained))]
            : Array.ConvertAll(Spacing.Linspace((double)Trained(trained) * trained, (double)Trained(1) * trained, steps), t => t / trained);
        times = FlowTime.Shifted(times, config.UseDynamicShifting ? FlowTime.Mu(request) : null, config.TimeShiftType, config.Shift, config.ShiftTerminal);
        if (config.UseKarrasSigmas == true) times = SigmaSpacing.Karras(times[0], times[^1], steps);
        else if (config.UseExponentialSigmas == true) times = SigmaSpacing.Exponential(times[0], times[^1], steps);
        else if (config.UseBetaSigmas == true) times = SigmaSpacing.Beta(times[0], times[^1], steps);
        if (config.InvertSigmas) times = Array.ConvertAll(times, t => (double)(1 - (float)t));
        Begin(times.Select(t => (double)((float)t * trained)), [.. times, config.InvertSigmas ? 1 : 0]);

        // The training schedule itself is shifted once; its ends are shifted again with the rest.
        float Trained(int step) => (float)(config.UseDynamicShifting ? (float)step / trained : SigmaSpacing.Shift((float)step / trained, config.Shift));
    }

    private protected override (float, float) NoiseLevelAt(float timestep)
    {
        var sigma = Sigmas[IndexOf(timestep)];
        return (1 - sigma, sigma);
    }

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var sigma = Sigma();
        var next = Sigma(1);
        if (!step.Predicted.IsEmpty) SpanMath.Combine(1, x, -sigma, step.ModelOutput, step.Predicted);
        if (!config.StochasticSampling)
        {
            SpanMath.Accumulate(next - sigma, step.ModelOutput, x);
            return;
        }

        if (_noise.Length != x.Length) _noise = new float[x.Length];
        step.Noise.Fill(_noise);
        SpanMath.Accumulate(-sigma, step.ModelOutput, x);
        SpanMath.Combine(1 - next, x, next, _noise, x);
    }
}
