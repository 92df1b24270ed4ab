namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>
/// A discretised diffusion or flow: which noise levels are visited and how a model's output moves the sample from one to the next. An instance is the state of one sampling run.
/// A sampler is the loop <c>for each of Timesteps: ScaleModelInput, call the model, Step</c>.
/// </summary>
public interface IScheduler
{
    /// <summary>Chooses the noise levels and forgets all earlier steps.</summary>
    /// <exception cref="ModelZoo.Contracts.ModelZooException">The request does not fit the configuration.</exception>
    void SetTimesteps(ScheduleRequest request);

    /// <summary>What the model is told at each call, in order; one entry a model call.</summary>
    ReadOnlySpan<float> Timesteps { get; }

    /// <summary>True when timesteps are whole numbers, as an embedding table needs.</summary>
    bool HasWholeTimesteps { get; }

    /// <summary>Noise levels, one more than there are steps; empty where the method has none.</summary>
    ReadOnlySpan<float> Sigmas { get; }

    /// <summary>What standard normal noise is multiplied by to be a starting sample.</summary>
    float InitNoiseSigma { get; }

    /// <summary>The next step to be taken.</summary>
    int StepIndex { get; }

    /// <summary>Brings a sample to the scale that the model was trained on, for the next step.</summary>
    void ScaleModelInput(ReadOnlySpan<float> sample, Span<float> destination);

    /// <summary>Moves the sample one model call on, in place.</summary>
    void Step(in SchedulerStep step);

    /// <summary>Clean samples with as much noise as there is at the given timesteps, one a sample.</summary>
    void AddNoise(ReadOnlySpan<float> clean, ReadOnlySpan<float> noise, ReadOnlySpan<float> timesteps, SampleShape shape, Span<float> destination);
}
