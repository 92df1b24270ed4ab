namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>A noise level: x = alpha x0 + sigma noise, and half its log signal-to-noise ratio.</summary>
/// <param name="Alpha">Factor of the signal.</param>
/// <param name="Sigma">Factor of the noise.</param>
/// <param name="Scheduled">The level as the schedule has it.</param>
internal readonly record struct NoiseLevel(float Alpha, float Sigma, float Scheduled)
{
    /// <summary>log(alpha / sigma).</summary>
    public float Lambda => MathF.Log(Alpha) - MathF.Log(Sigma);

    /// <summary>Sigma over alpha.</summary>
    public float Rho => Sigma / Alpha;

    /// <summary>Of a variance-preserving diffusion whose sigma is that of x / alpha.</summary>
    public static NoiseLevel Preserving(float sigma)
    {
        var alpha = 1 / MathF.Sqrt(sigma * sigma + 1);
        return new(alpha, sigma * alpha, sigma);
    }

    /// <summary>Of a straight flow.</summary>
    public static NoiseLevel Flow(float sigma) => new(1 - sigma, sigma, sigma);

    /// <summary>Of a variance-exploding diffusion.</summary>
    public static NoiseLevel Exploding(float sigma) => new(1, sigma, sigma);
}
