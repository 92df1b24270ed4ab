// DPM-Solver++ (arXiv:2211.01095) with EDM's preconditioning (arXiv:2206.00364). Published layout: diffusers EDMDPMSolverMultistepScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Multistep DPM-Solver++ for EDM models; keys of diffusers' EDMDPMSolverMultistepScheduler.</summary>
public sealed record EdmDpmSolverConfig : EdmConfig
{
    /// <summary>Highest order, 1 to 3.</summary>
    public int SolverOrder { get; init; } = 2;
    /// <summary>Clip each clean sample at a quantile.</summary>
    public bool Thresholding { get; init; }
    /// <summary>That quantile.</summary>
    public double DynamicThresholdingRatio { get; init; } = 0.995;
    /// <summary>Largest value that the quantile may take.</summary>
    public double SampleMaxValue { get; init; } = 1;
    /// <summary>Which integral is approximated.</summary>
    public DpmAlgorithm AlgorithmType { get; init; } = DpmAlgorithm.DpmSolverPlusPlus;
    /// <summary>Form of the second order.</summary>
    public SolverType SolverType { get; init; } = SolverType.Midpoint;
    /// <summary>Lower the order of the last steps when there are fewer than 15.</summary>
    public bool LowerOrderFinal { get; init; } = true;
    /// <summary>First order at the last step.</summary>
    public bool EulerAtFinal { get; init; }

    /// <inheritdoc/>
    public override IScheduler Create() => new EdmDpmSolverScheduler(this);
}

internal sealed class EdmDpmSolverScheduler(EdmDpmSolverConfig config) : Scheduler
{
    private readonly OutputHistory _outputs = new(SolverSigmas.Order(config.SolverOrder));
    private readonly DpmDifferences _differences = new();
    private readonly DpmAlgorithm _algorithm = config.AlgorithmType == DpmAlgorithm.Deis ? DpmAlgorithm.DpmSolverPlusPlus : config.AlgorithmType;
    private float[] _noise = [];

    public override bool HasWholeTimesteps => false;

    public override float InitNoiseSigma => config.InitNoiseSigma;

    public override void SetTimesteps(ScheduleRequest request)
    {
        var high = (float)Math.Pow(config.SigmaMax, 1 / config.Rho);
        var difference = (float)(Math.Pow(config.SigmaMin, 1 / config.Rho) - Math.Pow(config.SigmaMax, 1 / config.Rho));
        var sigmas = config.SigmaSchedule == EdmSchedule.Exponential
            ? config.ExponentialSigmas(request.Count)
            : Array.ConvertAll(Spacing.Linspace32(0, 1, request.Count), ramp => (double)MathF.Pow(high + ramp * difference, (float)config.Rho));
        _outputs.Clear();
        Begin(sigmas.Select(EdmConfig.Timestep), [.. sigmas, config.FinalSigmasType == FinalSigma.SigmaMin ? config.SigmaMin : 0]);
    }

    public override void ScaleModelInput(ReadOnlySpan<float> sample, Span<float> destination) => SpanMath.Scale(config.InputScale(Sigma()), sample, destination);

    private protected override (float, float) NoiseLevelAt(float timestep) => (1, Sigmas[IndexOf(timestep, lastWhenMissing: true)]);

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var few = config.LowerOrderFinal && Timesteps.Length < SolverSigmas.FewSteps;
        var clean = _outputs.Push(x.Length);
        config.Denoise(Sigma(), x, step.ModelOutput, clean);
        if (config.Thresholding) CleanSample.Threshold(clean, step.Shape, config.DynamicThresholdingRatio, config.SampleMaxValue);
        if (!step.Predicted.IsEmpty) clean.CopyTo(step.Predicted);
        if (_algorithm == DpmAlgorithm.SdeDpmSolverPlusPlus)
        {
            if (_noise.Length != x.Length) _noise = new float[x.Length];
            step.Noise.Fill(_noise);
        }

        var order = Math.Min(config.SolverOrder, _outputs.Count);
        if (IsLast() && (config.EulerAtFinal || few || config.FinalSigmasType == FinalSigma.Zero)) order = 1;
        else if (IsLast(1) && few) order = Math.Min(order, 2);

        var levels = new NoiseLevel[order + 1];
        for (var i = 0; i <= order; i++) levels[i] = NoiseLevel.Exploding(Sigma(1 - i));
        var update = DpmUpdate.Of(_algorithm, order, config.SolverType != SolverType.Heun, levels[1], levels[0]);
        _differences.Multistep(_outputs, levels);
        update.Apply(x, _outputs[0], _differences, x);
        if (update.Noise != 0) SpanMath.Accumulate(update.Noise, _noise, x);
    }
}
