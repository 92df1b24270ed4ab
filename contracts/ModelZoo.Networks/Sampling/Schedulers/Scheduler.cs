using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>What schedulers share: the schedule, the place in it, and finding a timestep's place.</summary>
public abstract class Scheduler : IScheduler
{
    private float[] _timesteps = [];
    private float[] _sigmas = [];

    /// <inheritdoc/>
    public ReadOnlySpan<float> Timesteps => _timesteps;

    /// <inheritdoc/>
    public abstract bool HasWholeTimesteps { get; }

    /// <inheritdoc/>
    public ReadOnlySpan<float> Sigmas => _sigmas;

    /// <inheritdoc/>
    public virtual float InitNoiseSigma => 1;

    /// <inheritdoc/>
    public int StepIndex { get; private set; }

    /// <inheritdoc/>
    public abstract void SetTimesteps(ScheduleRequest request);

    /// <inheritdoc/>
    public virtual void ScaleModelInput(ReadOnlySpan<float> sample, Span<float> destination) => sample.CopyTo(destination);

    /// <inheritdoc/>
    public void Step(in SchedulerStep step)
    {
        if (StepIndex >= _timesteps.Length) throw new InvalidOperationException("All steps of the schedule have been taken.");
        Advance(step);
        StepIndex++;
    }

    /// <inheritdoc/>
    public void AddNoise(ReadOnlySpan<float> clean, ReadOnlySpan<float> noise, ReadOnlySpan<float> timesteps, SampleShape shape, Span<float> destination)
    {
        for (var i = 0; i < shape.Batch; i++)
        {
            var (signal, sigma) = NoiseLevelAt(timesteps[timesteps.Length == 1 ? 0 : i]);
            var row = i * shape.PerSample;
            SpanMath.Combine(signal, clean.Slice(row, shape.PerSample), sigma, noise.Slice(row, shape.PerSample), destination.Slice(row, shape.PerSample));
        }
    }

    /// <summary>Moves the sample one step.</summary>
    private protected abstract void Advance(in SchedulerStep step);

    /// <summary>Factors of signal and noise at a timestep.</summary>
    private protected abstract (float Signal, float Noise) NoiseLevelAt(float timestep);

    /// <summary>Adds noise to the sample, up to a level above <paramref name="sigma"/> (Karras et al., algorithm 2), where the step's options ask for it.</summary>
    /// <param name="noise">Takes the noise.</param>
    /// <returns>That level.</returns>
    private protected float Churn(in SchedulerStep step, float sigma, Span<float> noise)
    {
        var gamma = step.Options.Gamma(sigma, _sigmas.Length - 1);
        var raised = sigma * (gamma + 1);
        if (gamma <= 0) return raised;
        step.Noise.Fill(noise);
        SpanMath.Scale(step.Options.SNoise, noise, noise);
        SpanMath.Accumulate(MathF.Sqrt(raised * raised - sigma * sigma), noise, step.Sample);
        return raised;
    }

    /// <summary>x += (x - x0) / sigma * change; the derivative takes the place of x0.</summary>
    private protected static void EulerStep(Span<float> x, Span<float> clean, float sigma, float change)
    {
        SpanMath.SubtractDivide(x, 1, clean, sigma, clean);
        SpanMath.Accumulate(change, clean, x);
    }

    /// <summary>A training step's entry. A schedule of strides that do not add up to the whole may have one step before the first: -1 reads the last entry, as published.</summary>
    private protected static float At(float[] table, int step) => table[step < 0 ? step + table.Length : step];

    /// <summary>Takes a new schedule and starts over.</summary>
    private protected void Begin(IEnumerable<double> timesteps, IEnumerable<double>? sigmas = null)
    {
        _timesteps = [.. timesteps.Select(t => HasWholeTimesteps ? (float)Math.Truncate(t) : (float)t)];
        _sigmas = sigmas is null ? [] : [.. sigmas.Select(s => (float)s)];
        StepIndex = 0;
    }

    /// <summary>Noise level of the coming step, or one that far after it.</summary>
    private protected float Sigma(int ahead = 0) => _sigmas[StepIndex + ahead];

    /// <summary>True at the last step, or that many before it.</summary>
    private protected bool IsLast(int before = 0) => StepIndex == _timesteps.Length - 1 - before;

    /// <summary>
    /// Place of a timestep in the schedule: the second one where it occurs twice, so that a run that starts in the middle does not skip a noise level. Timesteps between training steps may be rounded otherwise than here.
    /// </summary>
    private protected int IndexOf(float timestep, bool lastWhenMissing = false)
    {
        var first = Array.IndexOf(_timesteps, timestep);
        if (first < 0)
        {
            var nearest = _timesteps.MinBy(t => Math.Abs(t - timestep));
            if (Math.Abs(nearest - timestep) <= 1e-4f * Math.Max(1, Math.Abs(nearest))) first = Array.IndexOf(_timesteps, nearest);
        }

        if (first < 0)
        {
            return lastWhenMissing ? _timesteps.Length - 1 : throw new OptionsException(ErrorCodes.OptionRange, "The timestep is not in the schedule.")
            { Where = "timesteps", Expected = string.Join(", ", _timesteps), Found = timestep.ToString() };
        }

        var second = Array.IndexOf(_timesteps, _timesteps[first], first + 1);
        return second < 0 ? first : second;
    }
}
