namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Randomness of a step, where the method has it.</summary>
public sealed record StepOptions
{
    /// <summary>The defaults of each method.</summary>
    public static StepOptions Default { get; } = new();

    /// <summary>DDIM: share of DDPM's noise (default 0). TCD: gamma, how far each jump overshoots (default 0.3).</summary>
    public float? Eta { get; init; }

    /// <summary>Noise added before a step, over all steps (Karras et al., algorithm 2).</summary>
    public float SChurn { get; init; }

    /// <summary>Lowest noise level that churn applies to.</summary>
    public float STmin { get; init; }

    /// <summary>Highest noise level that churn applies to.</summary>
    public float STmax { get; init; } = float.PositiveInfinity;

    /// <summary>Factor of the churn noise.</summary>
    public float SNoise { get; init; } = 1;

    /// <summary>DDIM: recompute the noise from the clipped prediction, as GLIDE does.</summary>
    public bool UseClippedModelOutput { get; init; }

    /// <summary>Karras et al.: the factor by which churn raises <paramref name="sigma"/>, less one.</summary>
    internal float Gamma(float sigma, int steps) =>
        STmin <= sigma && sigma <= STmax ? (float)Math.Min((double)SChurn / steps, Math.Sqrt(2) - 1) : 0;
}
