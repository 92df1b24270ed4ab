// DPM-Solver: A Fast ODE Solver for Diffusion Probabilistic Model Sampling in Around 10 Steps. Lu et al. arXiv:2206.00927. Published layout: diffusers DPMSolverSinglestepScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Singlestep DPM-Solver: each step of order n takes n model calls from its own start; keys of diffusers' DPMSolverSinglestepScheduler.</summary>
public sealed record DpmSolverSinglestepConfig : DiffusionConfig, ISolverConfig, IDpmOutputConfig
{
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
    /// <summary>Form of the second and third order.</summary>
    public SolverType SolverType { get; init; } = SolverType.Midpoint;
    /// <summary>End with steps of lower order, so that any number of calls can be made.</summary>
    public bool LowerOrderFinal { get; init; }
    /// <inheritdoc/>
    public bool? UseKarrasSigmas { get; init; }
    /// <inheritdoc/>
    public bool? UseExponentialSigmas { get; init; }
    /// <inheritdoc/>
    public bool? UseBetaSigmas { get; init; }
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
    public override IScheduler Create() => new DpmSolverSinglestepScheduler(this);
}

internal sealed class DpmSolverSinglestepScheduler(DpmSolverSinglestepConfig config) : Scheduler
{
    private readonly float[] _alphas = config.AlphasCumprod(rescales: false);
    private readonly OutputHistory _outputs = new(SolverSigmas.Order(config.SolverOrder));
    private readonly DpmDifferences _differences = new();
    private readonly DpmAlgorithm _algorithm = config.AlgorithmType == DpmAlgorithm.Deis ? DpmAlgorithm.DpmSolverPlusPlus : config.AlgorithmType;
    private int[] _orders = [];
    private float[] _start = [];
    private float[] _noise = [];

    public override bool HasWholeTimesteps => true;

    public override void SetTimesteps(ScheduleRequest request)
    {
        var (steps, trained) = (request.Count, config.NumTrainTimesteps);
        var clipped = SolverSigmas.Clipped(_alphas, config.LambdaMinClipped);
        var timesteps = request.Timesteps?.Select(Math.Truncate).ToArray() ?? Spacing.SolverTimesteps(TimestepSpacing.Linspace, trained, trained - clipped, steps, 0);
        var training = SigmaSpacing.Training(_alphas);
        (var sigmas, timesteps) = SolverSigmas.Of(config, timesteps, steps, trained, training, request.Mu, roundKarras: true);
        _orders = Orders(steps);
        _outputs.Clear();
        Begin(timesteps, [.. sigmas, config.FinalSigmasType == FinalSigma.SigmaMin ? training[0] : 0]);
    }

    private protected override (float, float) NoiseLevelAt(float timestep)
    {
        var level = DpmOutput.Level(config.UseFlowSigmas, Sigmas[IndexOf(timestep, lastWhenMissing: true)]);
        return (level.Alpha, level.Sigma);
    }

    // 1, 2, 3, 1, 2, 3...: the n-th call of a step improves on the one before from the same start.
    private int[] Orders(int steps)
    {
        var highest = config.SolverOrder;
        var orders = Enumerable.Range(0, steps).Select(i => i % highest + 1).ToArray();
        if (config.FinalSigmasType == FinalSigma.Zero || (config.LowerOrderFinal && steps % highest == 0)) orders[^1] = 1;
        return orders;
    }

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        DpmOutput.Convert(config, _algorithm, DpmOutput.Level(config.UseFlowSigmas, Sigma()), step, _outputs.Push(x.Length));
        if (_start.Length != x.Length) (_start, _noise) = (new float[x.Length], new float[x.Length]);
        var sde = _algorithm == DpmAlgorithm.SdeDpmSolverPlusPlus;
        if (sde) step.Noise.Fill(_noise);

        var order = Math.Min(_orders[StepIndex], _outputs.Count);
        if (order == 1) x.CopyTo(_start);
        var midpoint = config.SolverType != SolverType.Heun;
        var levels = new NoiseLevel[order + 1];
        for (var i = 0; i <= order; i++) levels[i] = DpmOutput.Level(config.UseFlowSigmas, Sigma(1 - i));
        var update = DpmUpdate.Of(_algorithm, order, midpoint, levels[order], levels[0]);
        _differences.Singlestep(_outputs, levels, midpoint);
        (midpoint ? update with { D2 = 0 } : update).Apply(_start, _outputs[order - 1], _differences, x);
        if (sde) SpanMath.Accumulate(update.Noise, _noise, x);
    }
}
