using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>How a model's time and prediction relate to a scheduler's.</summary>
/// <param name="IsFlow">True when it predicts a velocity, false for noise.</param>
/// <param name="Time">The model's time at a scheduler's timestep, which runs from 1000 (noise) to 0.</param>
/// <param name="Sign">Factor that makes the prediction the scheduler's: -1 where the velocity points to the data.</param>
/// <param name="LearnedVariance">True when the variance is predicted in a second half of the channels.</param>
/// <param name="GuidedChannels">Channels that guidance changes.</param>
/// <param name="Steps">The usual number of steps.</param>
/// <param name="Guidance">The usual scale of guidance.</param>
internal sealed record ClassProcess(bool IsFlow, Func<float, float> Time, float Sign, bool LearnedVariance, int GuidedChannels, int Steps, double Guidance)
{
    /// <summary>Shift of a flow's times towards the noise.</summary>
    public double Shift { get; init; } = 1;

    /// <summary>DiT's: noise and perhaps variance, told the training step.</summary>
    public static ClassProcess Diffusion(bool learnedVariance, int channels) => new(false, t => t, 1, learnedVariance, channels, 50, 4);

    /// <summary>SiT's: a velocity towards the data, told 0 at noise and 1 at data.</summary>
    public static ClassProcess FlowToData(int guidedChannels, double guidance) => new(true, t => 1 - t / 1000, -1, false, guidedChannels, 50, guidance);

    /// <summary>REPA's: a velocity towards the noise, told 1 at noise and 0 at data.</summary>
    public static ClassProcess FlowToNoise(int guidedChannels, double guidance) => new(true, t => t / 1000, 1, false, guidedChannels, 50, guidance);

    /// <summary>A scheduler at the start of a run.</summary>
    public IScheduler Scheduler(SchedulerKind kind, int steps)
    {
        var scheduler = (IsFlow ? SchedulerChoice.Flow(kind, Shift) : SchedulerChoice.Diffusion(kind, LearnedVariance)).Create();
        scheduler.SetTimesteps(new(steps));
        return scheduler;
    }
}
