namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>A published <c>scheduler_config.json</c>: immutable; each sampling run creates its own scheduler from it.</summary>
public interface ISchedulerConfig
{
    /// <summary>A scheduler at the start of a run.</summary>
    IScheduler Create();
}
