namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Which noise levels to visit: a number of steps, or explicit timesteps or sigmas where the method takes them.</summary>
/// <param name="Steps">Number of steps; null when they are given explicitly.</param>
public sealed record ScheduleRequest(int? Steps = null)
{
    /// <summary>Explicit timesteps, descending.</summary>
    public IReadOnlyList<double>? Timesteps { get; init; }

    /// <summary>Explicit noise levels, descending.</summary>
    public IReadOnlyList<double>? Sigmas { get; init; }

    /// <summary>Shift of a dynamically shifted flow; see <see cref="FlowMatchEulerConfig.Mu"/>.</summary>
    public double? Mu { get; init; }

    /// <summary>Steps of the teacher's schedule that a distilled model was trained on (LCM, TCD).</summary>
    public int? OriginalSteps { get; init; }

    /// <summary>Share of the schedule to run, for image to image (LCM, TCD).</summary>
    public double Strength { get; init; } = 1;

    /// <summary>Number of steps, however they were given.</summary>
    internal int Count => Steps ?? Sigmas?.Count ?? Timesteps?.Count
        ?? throw new Contracts.OptionsException(Contracts.ErrorCodes.OptionRange, "A schedule needs a number of steps, timesteps or sigmas.") { Where = "num_inference_steps" };
}
