// Pseudo Numerical Methods for Diffusion Models on Manifolds. Liu, Ren, Lin, Zhao. arXiv:2202.09778. Published layout: diffusers PNDMScheduler.
namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Pseudo Runge-Kutta start, then pseudo linear multistep; keys of diffusers' PNDMScheduler.</summary>
public sealed record PndmConfig : DiffusionConfig
{
    /// <summary>Start with multistep at once, as Stable Diffusion does.</summary>
    public bool SkipPrkSteps { get; init; }
    /// <summary>The step after the last has alpha-bar 1; otherwise that of step 0.</summary>
    public bool SetAlphaToOne { get; init; }

    /// <inheritdoc/>
    public override IScheduler Create() => new PndmScheduler(this);
}

internal sealed class PndmScheduler(PndmConfig config) : Scheduler
{
    private const int Order = 4;
    private readonly float[] _alphas = config.AlphasCumprod(rescales: false);
    private readonly OutputHistory _outputs = new(Order);
    private double[] _prkTimesteps = [];
    private int _stride = 1;
    private float[] _start = [];
    private float[] _slope = [];
    private float[] _noise = [];

    public override bool HasWholeTimesteps => true;

    public override void SetTimesteps(ScheduleRequest request)
    {
        var steps = Spacing.Check(request.Count, config.NumTrainTimesteps);
        _stride = config.NumTrainTimesteps / steps;
        var ascending = Spacing.Timesteps(config.TimestepSpacing, config.NumTrainTimesteps, steps, config.StepsOffset, round: true);
        Array.Reverse(ascending);
        double[] multistep;
        if (config.SkipPrkSteps)
        {
            _prkTimesteps = [];
            multistep = [.. ascending[..^1], .. ascending[Math.Max(0, ascending.Length - 2)..^1], ascending[^1]];
        }
        else
        {
            // Each of the last four steps and its midpoint; every inner point is visited twice.
            var points = ascending[^Order..].SelectMany(t => new[] { t, t + _stride / 2 }).SkipLast(1);
            _prkTimesteps = [.. points.SelectMany(t => new[] { t, t }).Skip(1).SkipLast(1).Reverse()];
            multistep = ascending[..^3];
        }

        _outputs.Clear();
        Begin([.. _prkTimesteps, .. multistep.Reverse()]);
    }

    private protected override (float, float) NoiseLevelAt(float timestep) => (MathF.Sqrt(At(_alphas, (int)timestep)), MathF.Sqrt(1 - At(_alphas, (int)timestep)));

    private protected override void Advance(in SchedulerStep step)
    {
        if (_start.Length != step.Sample.Length) (_start, _slope, _noise) = (new float[step.Sample.Length], new float[step.Sample.Length], new float[step.Sample.Length]);
        if (StepIndex < _prkTimesteps.Length) RungeKutta(step);
        else Multistep(step);
    }

    // Equation 13: four slopes, weighted 1/6, 1/3, 1/3, 1/6; the inner three move from the same start.
    private void RungeKutta(in SchedulerStep step)
    {
        var x = step.Sample;
        var output = step.ModelOutput;
        var phase = StepIndex % 4;
        var previous = (int)Timesteps[StepIndex] - (StepIndex % 2 == 1 ? 0 : _stride / 2);
        if (phase == 0)
        {
            _slope.AsSpan().Clear();
            _outputs.Push(output);
            x.CopyTo(_start);
        }

        SpanMath.Accumulate(phase is 0 or 3 ? 1f / 6 : 1f / 3, output, _slope);
        Transfer(_start, (int)_prkTimesteps[StepIndex / 4 * 4], previous, phase == 3 ? _slope : output, x);
    }

    // Equation 12: Adams-Bashforth on the last four outputs; the second call repeats the first step with the average.
    private void Multistep(in SchedulerStep step)
    {
        var x = step.Sample;
        var output = step.ModelOutput;
        var t = (int)Timesteps[StepIndex];
        var previous = t - _stride;
        if (StepIndex != 1) _outputs.Push(output);
        else (t, previous) = (t + _stride, t);

        ReadOnlySpan<float> start = x;
        if (_outputs.Count == 1 && StepIndex == 0)
        {
            x.CopyTo(_start);
            output.CopyTo(_slope);
        }
        else if (_outputs.Count == 1 && StepIndex == 1)
        {
            SpanMath.Combine(0.5f, output, 0.5f, _outputs[0], _slope);
            start = _start;
        }
        else
        {
            ReadOnlySpan<float> weights = _outputs.Count switch
            {
                2 => [3f / 2, -1f / 2],
                3 => [23f / 12, -16f / 12, 5f / 12],
                _ => [55f / 24, -59f / 24, 37f / 24, -9f / 24],
            };
            _outputs.Combine(weights, _slope);
        }

        Transfer(start, t, previous, _slope, x);
    }

    // Equation 11: the transfer part.
    private void Transfer(ReadOnlySpan<float> x, int t, int previous, ReadOnlySpan<float> output, Span<float> result)
    {
        var alpha = At(_alphas, t);
        var alphaPrevious = previous >= 0 ? _alphas[previous] : config.SetAlphaToOne ? 1 : _alphas[0];
        var (beta, betaPrevious) = (1 - alpha, 1 - alphaPrevious);
        var sampleFactor = MathF.Sqrt(alphaPrevious / alpha);
        var denominator = alpha * MathF.Sqrt(betaPrevious) + MathF.Sqrt(alpha * beta * alphaPrevious);
        if (config.PredictionType is not (PredictionType.Epsilon or PredictionType.VPrediction)) throw CleanSample.Refused(config.PredictionType);

        // Where alpha is all but zero both terms are large and cancel: as published, the noise is formed first.
        CleanSample.PredictNoise(config.PredictionType, MathF.Sqrt(alpha), MathF.Sqrt(beta), x, output, _noise);
        SpanMath.Scale(alphaPrevious - alpha, _noise, _noise);
        SpanMath.Divide(_noise, denominator, _noise);
        SpanMath.Combine(sampleFactor, x, -1, _noise, result);
    }
}
