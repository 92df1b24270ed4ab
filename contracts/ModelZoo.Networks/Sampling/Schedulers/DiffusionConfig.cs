namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>What the configurations of variance-preserving diffusion have in common; keys as published.</summary>
public abstract record DiffusionConfig : ISchedulerConfig
{
    /// <summary>Steps of the training schedule.</summary>
    public int NumTrainTimesteps { get; init; } = 1000;

    /// <summary>First beta.</summary>
    public double BetaStart { get; init; } = 0.0001;

    /// <summary>Last beta.</summary>
    public double BetaEnd { get; init; } = 0.02;

    /// <summary>How beta grows.</summary>
    public BetaSchedule BetaSchedule { get; init; } = BetaSchedule.Linear;

    /// <summary>Every beta, instead of a schedule.</summary>
    public float[]? TrainedBetas { get; init; }

    /// <summary>What the model gives.</summary>
    public PredictionType PredictionType { get; init; } = PredictionType.Epsilon;

    /// <summary>Rescale the betas so that the last step is pure noise.</summary>
    public bool RescaleBetasZeroSnr { get; init; }

    /// <summary>Which training steps are visited.</summary>
    public TimestepSpacing TimestepSpacing { get; init; } = TimestepSpacing.Leading;

    /// <summary>Added to leading timesteps.</summary>
    public int StepsOffset { get; init; }

    /// <inheritdoc/>
    public abstract IScheduler Create();

    /// <summary>Alpha-bar of every training step.</summary>
    /// <param name="finite">Whether the last one is kept above zero, as the solvers in sigma need it.</param>
    /// <param name="rescales">Whether the published class has <see cref="RescaleBetasZeroSnr"/>; others pass over it.</param>
    internal float[] AlphasCumprod(bool finite = false, bool rescales = true)
    {
        var betas = TrainedBetas ?? BetaSchedules.Betas(BetaSchedule, NumTrainTimesteps, BetaStart, BetaEnd);
        if (rescales && RescaleBetasZeroSnr) betas = BetaSchedules.RescaleZeroTerminalSnr(betas);
        var alphas = BetaSchedules.CumulativeAlphas(betas);
        if (finite && RescaleBetasZeroSnr) alphas[^1] = 1f / (1 << 24);
        return alphas;
    }
}
