// Fast Sampling of Diffusion Models with Exponential Integrator. Zhang, Chen. arXiv:2204.13902. Published layout: diffusers DEISMultistepScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>DEIS in log rho (tAB-DEIS); keys of diffusers' DEISMultistepScheduler.</summary>
public sealed record DeisConfig : DiffusionConfig, ISolverConfig
{
    /// <summary>With the library's defaults.</summary>
    public DeisConfig() => TimestepSpacing = TimestepSpacing.Linspace;

    /// <inheritdoc/>
    public int SolverOrder { get; init; } = 2;
    /// <summary>Clip each clean sample at a quantile.</summary>
    public bool Thresholding { get; init; }
    /// <summary>That quantile.</summary>
    public double DynamicThresholdingRatio { get; init; } = 0.995;
    /// <summary>Largest value that the quantile may take.</summary>
    public double SampleMaxValue { get; init; } = 1;
    /// <summary>Lower the order of the last steps when there are fewer than 15.</summary>
    public bool LowerOrderFinal { get; init; } = true;
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

    double? ISigmaConfig.SigmaMin => null;
    double? ISigmaConfig.SigmaMax => null;

    /// <inheritdoc/>
    public override IScheduler Create() => new DeisScheduler(this);
}

internal sealed class DeisScheduler(DeisConfig config) : Scheduler
{
    private readonly float[] _alphas = config.AlphasCumprod(rescales: false);
    private readonly OutputHistory _outputs = new(SolverSigmas.Order(config.SolverOrder));

    public override bool HasWholeTimesteps => true;

    public override void SetTimesteps(ScheduleRequest request)
    {
        var (steps, trained) = (request.Count, config.NumTrainTimesteps);
        var training = SigmaSpacing.Training(_alphas);
        var (sigmas, timesteps) = SolverSigmas.Of(
            config, Spacing.SolverTimesteps(config.TimestepSpacing, trained, trained, steps, config.StepsOffset), steps, trained, training, request.Mu, roundKarras: true);
        var respaced = config.UseFlowSigmas || config.UseKarrasSigmas == true || config.UseExponentialSigmas == true || config.UseBetaSigmas == true;
        _outputs.Clear();
        Begin(timesteps, [.. sigmas, respaced ? sigmas[^1] : training[0]]);
    }

    private protected override (float, float) NoiseLevelAt(float timestep)
    {
        var level = DpmOutput.Level(config.UseFlowSigmas, Sigmas[IndexOf(timestep, lastWhenMissing: true)]);
        return (level.Alpha, level.Sigma);
    }

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var now = DpmOutput.Level(config.UseFlowSigmas, Sigma());
        var noise = _outputs.Push(x.Length);
        CleanSample.Predict(config.PredictionType, now, x, step.ModelOutput, noise);
        if (config.Thresholding) CleanSample.Threshold(noise, step.Shape, config.DynamicThresholdingRatio, config.SampleMaxValue);
        if (!step.Predicted.IsEmpty) noise.CopyTo(step.Predicted);
        SpanMath.SubtractDivide(x, now.Alpha, noise, config.PredictionType == PredictionType.FlowPrediction ? now.Scheduled : now.Sigma, noise);

        var order = Math.Min(config.SolverOrder, _outputs.Count);
        var few = config.LowerOrderFinal && Timesteps.Length < SolverSigmas.FewSteps;
        if (IsLast() && few) order = 1;
        else if (IsLast(1) && few) order = Math.Min(order, 2);

        var target = DpmOutput.Level(config.UseFlowSigmas, Sigma(1));
        if (order == 1)
        {
            var h = target.Lambda - now.Lambda;
            SpanMath.Combine(target.Alpha / now.Alpha, x, -target.Sigma * (MathF.Exp(h) - 1), noise, x);
            return;
        }

        // Equation 15: integrals over rho of the Lagrange basis in log rho.
        Span<float> rhos = stackalloc float[order];
        for (var i = 0; i < order; i++) rhos[i] = DpmOutput.Level(config.UseFlowSigmas, Sigma(-i)).Rho;
        Span<float> weights = stackalloc float[order];
        for (var i = 0; i < order; i++)
        {
            var (b, c, d) = (rhos[i], rhos[(i + 1) % order], rhos[(i + 2) % order]);
            weights[i] = order == 2
                ? Primitive(target.Rho, b, c) - Primitive(rhos[0], b, c)
                : Primitive(target.Rho, b, c, d) - Primitive(rhos[0], b, c, d);
        }

        SpanMath.Divide(x, now.Alpha, x);
        _outputs.Accumulate(weights, x);
        SpanMath.Scale(target.Alpha, x, x);
    }

    // The integrals are small differences of these: their last digits matter.
    private static float Primitive(float t, float b, float c)
    {
        var (lt, lb, lc) = (SigmaSpacing.Logarithm(t), SigmaSpacing.Logarithm(b), SigmaSpacing.Logarithm(c));
        return t * (-lc + lt - 1) / (lb - lc);
    }

    private static float Primitive(float t, float b, float c, float d)
    {
        var (lt, lb, lc, ld) = (SigmaSpacing.Logarithm(t), SigmaSpacing.Logarithm(b), SigmaSpacing.Logarithm(c), SigmaSpacing.Logarithm(d));
        return t * (lc * (ld - lt + 1) - ld * lt + ld + lt * lt - 2 * lt + 2) / ((lb - lc) * (lb - ld));
    }
}
