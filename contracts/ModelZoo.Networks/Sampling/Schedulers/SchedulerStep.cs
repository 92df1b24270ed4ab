namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>What a step needs.</summary>
public readonly ref struct SchedulerStep
{
    /// <summary>A step of <paramref name="sample"/>, which is overwritten.</summary>
    public SchedulerStep(ReadOnlySpan<float> modelOutput, Span<float> sample, SampleShape shape, INoiseSource noise)
    {
        ModelOutput = modelOutput;
        Sample = sample;
        Shape = shape;
        Noise = noise;
        Options = StepOptions.Default;
    }

    /// <summary>What the model gave; twice the sample's channels where the variance is learned.</summary>
    public ReadOnlySpan<float> ModelOutput { get; }

    /// <summary>The sample: x_t before, x_{t-1} after.</summary>
    public Span<float> Sample { get; }

    /// <summary>Extents of the sample.</summary>
    public SampleShape Shape { get; }

    /// <summary>Where normal draws come from.</summary>
    public INoiseSource Noise { get; }

    /// <summary>Randomness of the step.</summary>
    public StepOptions Options { get; init; }

    /// <summary>Takes the clean sample that the method sees in this step; empty when it is not wanted. Methods that see none leave it.</summary>
    public Span<float> Predicted { get; init; }
}
