// UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models. Zhao, Bai, Rao, Zhou, Lu. arXiv:2302.04867. Published layout: diffusers UniPCMultistepScheduler.
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Predictor and corrector of any order; keys of diffusers' UniPCMultistepScheduler.</summary>
public sealed record UniPcConfig : DiffusionConfig, ISolverConfig
{
    /// <summary>With the library's defaults.</summary>
    public UniPcConfig() => TimestepSpacing = TimestepSpacing.Linspace;

    /// <inheritdoc/>
    public int SolverOrder { get; init; } = 2;
    /// <summary>Clip each clean sample at a quantile.</summary>
    public bool Thresholding { get; init; }
    /// <summary>That quantile.</summary>
    public double DynamicThresholdingRatio { get; init; } = 0.995;
    /// <summary>Largest value that the quantile may take.</summary>
    public double SampleMaxValue { get; init; } = 1;
    /// <summary>Integrate the clean sample; the noise otherwise.</summary>
    public bool PredictX0 { get; init; } = true;
    /// <summary>Form of B(h).</summary>
    public SolverType SolverType { get; init; } = SolverType.Bh2;
    /// <summary>Lower the order of the last steps.</summary>
    public bool LowerOrderFinal { get; init; } = true;
    /// <summary>Steps after which the corrector is left out.</summary>
    public int[] DisableCorrector { get; init; } = [];
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
    /// <summary>Shift a flow by each request's mu.</summary>
    public bool UseDynamicShifting { get; init; }
    /// <summary>How.</summary>
    public TimeShift TimeShiftType { get; init; }
    /// <inheritdoc/>
    public double? SigmaMin { get; init; }
    /// <inheritdoc/>
    public double? SigmaMax { get; init; }
    /// <summary>Stretch a flow so that it ends here.</summary>
    public double? ShiftTerminal { get; init; }

    /// <inheritdoc/>
    public override IScheduler Create() => new UniPcScheduler(this);
}

internal sealed class UniPcScheduler(UniPcConfig config) : Scheduler
{
    private readonly float[] _alphas = config.AlphasCumprod(finite: true);
    private readonly OutputHistory _outputs = new(config.SolverOrder + 1);
    private int _taken;
    private int _order;
    private float[] _previous = [];
    private float[] _residual = [];
    private float[] _difference = [];

    public override bool HasWholeTimesteps => true;

    public override void SetTimesteps(ScheduleRequest request)
    {
        var (steps, trained) = (request.Sigmas?.Count ?? request.Count, config.NumTrainTimesteps);
        if (request.Sigmas is not null && !config.UseFlowSigmas)
            throw new OptionsException(ErrorCodes.OptionRange, "Only a flow takes noise levels.") { Where = "sigmas" };
        var training = request.Sigmas is { } given ? [.. given.Select(s => (float)s)] : SigmaSpacing.Training(_alphas);
        double[] sigmas, timesteps;
        double last;
        if (config.UseFlowSigmas && config is not { UseExponentialSigmas: true } and not { UseBetaSigmas: true })
        {
            if (config.UseKarrasSigmas == true)
            {
                sigmas = Array.ConvertAll(SigmaSpacing.Karras(config.SigmaMax ?? training[^1], config.SigmaMin ?? training[0], steps), s => s / (s + 1));
            }
            else
            {
                sigmas = request.Sigmas?.ToArray() ?? Spacing.Linspace(1, 1.0 / trained, steps + 1)[..^1];
                sigmas = FlowTime.Shifted(sigmas, config.UseDynamicShifting ? FlowTime.Mu(request) : null, config.TimeShiftType, config.FlowShift, config.ShiftTerminal);

                // Pure noise has no lambda.
                if (Math.Abs(sigmas[0] - 1) < 1e-6) sigmas[0] -= 1e-6;
            }

            timesteps = Array.ConvertAll(sigmas, sigma => sigma * trained);
            last = sigmas[^1];
        }
        else
        {
            timesteps = Spacing.SolverTimesteps(config.TimestepSpacing, trained, trained, steps, config.StepsOffset);
            (sigmas, timesteps) = SolverSigmas.Of(config, timesteps, steps, trained, training, null, roundKarras: true);
            var respaced = config.UseKarrasSigmas == true || config.UseExponentialSigmas == true || config.UseBetaSigmas == true;
            last = respaced ? sigmas[^1] : SigmaSpacing.Training(_alphas)[0];
        }

        (_taken, _order) = (0, 0);
        _outputs.Clear();
        Begin(timesteps, [.. sigmas, config.FinalSigmasType == FinalSigma.SigmaMin ? last : 0]);
    }

    private protected override (float, float) NoiseLevelAt(float timestep)
    {
        var level = Level(Sigmas[IndexOf(timestep, lastWhenMissing: true)]);
        return (level.Alpha, level.Sigma);
    }

    private protected override void Advance(in SchedulerStep step)
    {
        var x = step.Sample;
        var level = Level(Sigma());
        var output = _outputs.Push(x.Length);
        if (_previous.Length != x.Length) (_previous, _residual, _difference) = (new float[x.Length], new float[x.Length], new float[x.Length]);
        if (config.PredictX0)
        {
            CleanSample.Predict(config.PredictionType, level, x, step.ModelOutput, output);
            if (config.Thresholding) CleanSample.Threshold(output, step.Shape, config.DynamicThresholdingRatio, config.SampleMaxValue);
            if (!step.Predicted.IsEmpty) output.CopyTo(step.Predicted);
        }
        else
        {
            CleanSample.PredictNoise(config.PredictionType, level.Alpha, level.Sigma, x, step.ModelOutput, output);
        }

        // Algorithm 1: correct the sample that the last step predicted, now that the model has seen it; then predict the next.
        if (_taken > 0 && !config.DisableCorrector.Contains(StepIndex - 1)) Move(_previous, from: -1, to: 0, _order, corrector: true, x);
        var highest = config.LowerOrderFinal ? Math.Min(config.SolverOrder, Timesteps.Length - StepIndex) : config.SolverOrder;
        _order = Math.Min(highest, _taken + 1);
        x.CopyTo(_previous);
        Move(_previous, from: 0, to: 1, _order, corrector: false, x);
        _taken = Math.Min(_taken + 1, config.SolverOrder);
    }

    // Equations 3 and 9. Offsets count steps from now; the corrector also knows the output at its target.
    private void Move(ReadOnlySpan<float> start, int from, int to, int order, bool corrector, Span<float> result)
    {
        var (source, target) = (Level(Sigma(from)), Level(Sigma(to)));
        var h = target.Lambda - source.Lambda;
        var signed = config.PredictX0 ? -h : h;
        var growth = (float)ExpMinusOne(signed);
        var scale = config.SolverType == SolverType.Bh1 ? signed : growth;
        var factor = config.PredictX0 ? target.Alpha : target.Sigma;

        var points = new float[order];
        for (var i = 1; i < order; i++) points[i - 1] = (Level(Sigma(from - i)).Lambda - source.Lambda) / h;
        points[^1] = 1;
        var rhos = Coefficients(points, signed, growth, scale, corrector);

        // Outputs: index 0 is the newest, which a corrector meets at its target.
        var newest = corrector ? 1 : 0;
        SpanMath.Scale(config.PredictX0 ? target.Sigma / source.Sigma : target.Alpha / source.Alpha, start, result);
        SpanMath.Accumulate(-factor * growth, _outputs[newest], result);

        // Differences are formed before they are weighed: where noise is integrated they are small beside the outputs.
        _residual.AsSpan().Clear();
        for (var i = 1; i < order; i++) AddDifference(_outputs[newest + i], points[i - 1], (float)rhos[i - 1]);
        if (corrector) AddDifference(_outputs[0], 1, (float)rhos[order - 1]);
        SpanMath.Accumulate(-factor * scale, _residual, result);

        void AddDifference(ReadOnlySpan<float> output, float point, float rho)
        {
            SpanMath.SubtractDivide(output, 1, _outputs[newest], point, _difference);
            SpanMath.Accumulate(rho, _difference, _residual);
        }
    }

    // Theorem 3.1: the Vandermonde system R rho = b; the lowest orders are given in closed form.
    private static double[] Coefficients(float[] points, float h, float growth, float scale, bool corrector)
    {
        var order = points.Length;
        var size = corrector ? order : order - 1;
        if (size == 0) return [];
        if (size == 1) return [0.5];
        var (matrix, right) = (new double[size, size], new double[size]);
        var phi = growth / h - 1;
        var factorial = 1f;
        for (var i = 0; i < size; i++)
        {
            for (var j = 0; j < size; j++) matrix[i, j] = MathF.Pow(points[j], i);
            right[i] = phi * factorial / scale;
            factorial *= i + 2;
            phi = phi / h - 1 / factorial;
        }

        return Numerics.LinearAlgebra.Solve(matrix, right);
    }

    // Below a thousandth, exp(x) - 1 would lose digits: use 2 sinh(x/2) exp(x/2).
    private static double ExpMinusOne(double x) => Math.Abs(x) < 1e-3 ? 2 * Math.Sinh(x / 2) * Math.Exp(x / 2) : Math.Exp(x) - 1;

    private NoiseLevel Level(float sigma) => DpmOutput.Level(config.UseFlowSigmas, sigma);
}
