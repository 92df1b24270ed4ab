// DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models. Lu et al. arXiv:2211.01095. Published layout: diffusers DPMSolverMultistepScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Multistep DPM-Solver; keys of diffusers' DPMSolverMultistepScheduler.</summary>
public sealed record DpmSolverConfig : DiffusionConfig, ISolverConfig, IDpmOutputConfig
{
    /// <summary>With the library's defaults.</summary>
    public DpmSolverConfig() => TimestepSpacing = TimestepSpacing.Linspace;

    /// <inheritdoc/>
    public int SolverOrder { get; init; } = 2;
    /// <inheritdoc/>
    public bool Thresholding { get; init; }
    /// <inheritdoc/>
    public double DynamicThresholdingRatio { get; init; } = 0.995;
    /// <inheritdoc/>
    public double SampleMaxValue { get; init; } = 1;
    /// <inheritdoc/>
    public DpmAlgorithm AlgorithmType { get; init; } = DpmAlgorithm.DpmSolverPlusPlus;
    /// <summary>Form of the second order.</summary>
    public SolverType SolverType { get; init; } = SolverType.Midpoint;
    /// <summary>Lower the order of the last steps when there are fewer than 15.</summary>
    public bool LowerOrderFinal { get; init; } = true;
    /// <summary>First order at the last step.</summary>
    public bool EulerAtFinal { get; init; }
    /// <inheritdoc/>
    public bool? UseKarrasSigmas { get; init; }
    /// <inheritdoc/>
    public bool? UseExponentialSigmas { get; init; }
    /// <inheritdoc/>
    public bool? UseBetaSigmas { get; init; }
    /// <summary>Space the levels evenly in lambda.</summary>
    public bool? UseLuLambdas { get; init; }
    /// <inheritdoc/>
    public bool UseFlowSigmas { get; init; }
    /// <inheritdoc/>
    public double FlowShift { get; init; } = 1;
    /// <summary>The last level.</summary>
    public FinalSigma FinalSigmasType { get; init; }
    /// <summary>Training steps of lower lambda are left out.</summary>
    public double LambdaMinClipped { get; init; } = double.NegativeInfinity;
    /// <inheritdoc/>
    public VarianceType? VarianceType { get; init; }

    double? ISigmaConfig.SigmaMin => null;
    double? ISigmaConfig.SigmaMax => null;

    /// <inheritdoc/>
    public override IScheduler Create() => new DpmSolverScheduler(this);
}

internal sealed class DpmSolverScheduler(DpmSolverConfig config) : Scheduler
{
    private readonly float[] _alphas = config.AlphasCumprod(finite: true);
    private readonly OutputHistory _outputs = new(SolverSigmas.Order(config.SolverOrder));
    private readonly DpmDifferences _differences = new();
    private readonly DpmAlgorithm _algorithm = config.AlgorithmType == DpmAlgorithm.Deis ? DpmAlgorithm.DpmSolverPlusPlus : config.AlgorithmType;
    private float[] _noise = [];

    public override bool HasWholeTimesteps => true;

    public override void SetTimesteps(ScheduleRequest request)
    {
        var (steps, trained) = (request.Count, config.NumTrainTimesteps);
        var timesteps = request.Timesteps?.Select(Math.Truncate).ToArray() ?? Spacing.SolverTimesteps(
            config.TimestepSpacing, trained, trained - SolverSigmas.Clipped(_alphas, config.LambdaMinClipped), steps, config.StepsOffset);
        var training = SigmaSpacing.Training(_alphas);
        var round = config.BetaSchedule != BetaSchedule.SquaredCosine;
        double[] sigmas;
        if (config is { UseLuLambdas: true, UseKarrasSigmas: not true })
        {
            var logSigmas = SigmaSpacing.Logarithms(training);
            sigmas = Array.ConvertAll(Spacing.Linspace(logSigmas[^1], logSigmas[0], steps), Math.Exp);
            timesteps = SolverSigmas.TimestepsOf(sigmas, training, round);
        }
        else
        {
            (sigmas, timesteps) = SolverSigmas.Of(config, timesteps, steps, trained, training, request.Mu, round);
        }

        _outputs.Clear();
        Begin(timesteps, [.. sigmas, config.FinalSigmasType == FinalSigma.SigmaMin ? training[0] : 0]);
    }

    private protected override (float, float) NoiseLevelAt(float timestep)
    {
        var level = DpmOutput.Level(config.UseFlowSigmas, Sigmas[IndexOf(timestep, lastWhenMissing: true)]);
        return (level.Alpha, level.Sigma);
    }

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var steps = Timesteps.Length;
        var sde = _algorithm is DpmAlgorithm.SdeDpmSolver or DpmAlgorithm.SdeDpmSolverPlusPlus;
        var few = config.LowerOrderFinal && steps < SolverSigmas.FewSteps;
        DpmOutput.Convert(config, _algorithm, DpmOutput.Level(config.UseFlowSigmas, Sigma()), step, _outputs.Push(x.Length));
        if (sde)
        {
            if (_noise.Length != x.Length) _noise = new float[x.Length];
            step.Noise.Fill(_noise);
        }

        var order = Math.Min(config.SolverOrder, _outputs.Count);
        if (IsLast() && (config.EulerAtFinal || few || config.FinalSigmasType == FinalSigma.Zero)) order = 1;
        else if (IsLast(1) && few) order = Math.Min(order, 2);

        var levels = new NoiseLevel[order + 1];
        for (var i = 0; i <= order; i++) levels[i] = DpmOutput.Level(config.UseFlowSigmas, Sigma(1 - i));
        var update = DpmUpdate.Of(_algorithm, order, config.SolverType != SolverType.Heun, levels[1], levels[0]);
        _differences.Multistep(_outputs, levels);
        update.Apply(x, _outputs[0], _differences, x);
        if (sde) SpanMath.Accumulate(update.Noise, _noise, x);
    }
}
