using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>What exponential-integrator solvers (DPM-Solver, DEIS, UniPC) have in common; keys as published.</summary>
internal interface ISolverConfig : ISigmaConfig
{
    /// <summary>Highest order of the solver, 1 to 3.</summary>
    int SolverOrder { get; }
    /// <summary>Space the levels as a straight flow's time.</summary>
    bool UseFlowSigmas { get; }
    /// <summary>Shift of that flow.</summary>
    double FlowShift { get; }
}

/// <summary>The noise levels of those solvers.</summary>
internal static class SolverSigmas
{
    /// <summary>Highest number of steps at which the last ones have a lower order, for stability.</summary>
    public const int FewSteps = 15;

    /// <summary>Levels and timesteps, without the last level: spaced as configured, or at the given training steps.</summary>
    public static (double[] Sigmas, double[] Timesteps) Of(ISolverConfig config, double[] timesteps, int steps, int trained, float[] training, double? mu, bool roundKarras)
    {
        if (config.UseFlowSigmas && config is not { UseKarrasSigmas: true } and not { UseExponentialSigmas: true } and not { UseBetaSigmas: true })
        {
            // An integrator that works in lambda cannot start at pure noise: the flow's time starts one training step below.
            var shift = mu is { } m ? Math.Exp(m) : config.FlowShift;
            var flow = Array.ConvertAll(Spacing.Linspace(1, 1.0 / trained, steps + 1), alpha => SigmaSpacing.Shift(1 - alpha, shift));
            Array.Reverse(flow);
            return (flow[..^1], Array.ConvertAll(flow[..^1], sigma => sigma * trained));
        }

        var (min, max) = (config.SigmaMin ?? training[0], config.SigmaMax ?? training[^1]);
        double[] sigmas;
        if (config.UseKarrasSigmas == true) sigmas = SigmaSpacing.Karras(max, min, steps);
        else if (config.UseExponentialSigmas == true) sigmas = SigmaSpacing.Exponential(max, min, steps);
        else if (config.UseBetaSigmas == true) sigmas = SigmaSpacing.Beta(max, min, steps);
        else return (Array.ConvertAll(timesteps, t => SigmaSpacing.Interpolate(t, training)), timesteps);
        return (sigmas, TimestepsOf(sigmas, training, roundKarras && config.UseKarrasSigmas == true));
    }

    /// <summary>The training steps that levels belong to.</summary>
    public static double[] TimestepsOf(double[] sigmas, float[] training, bool round)
    {
        var logSigmas = SigmaSpacing.Logarithms(training);
        return Array.ConvertAll(sigmas, sigma => round ? Math.Round(SigmaSpacing.Timestep(sigma, logSigmas)) : SigmaSpacing.Timestep(sigma, logSigmas));
    }

    /// <summary>Training steps whose lambda is below <paramref name="clip"/>: they are left out (cosine schedules).</summary>
    public static int Clipped(float[] alphas, double clip)
    {
        var count = 0;
        for (var i = alphas.Length - 1; i >= 0 && MathF.Log(MathF.Sqrt(alphas[i])) - MathF.Log(MathF.Sqrt(1 - alphas[i])) < clip; i--) count++;
        return count;
    }

    /// <summary>Refuses orders that the solver does not have.</summary>
    public static int Order(int order) => order is >= 1 and <= 3
        ? order
        : throw new ModelZooException(ErrorCodes.ConfigInvalid, "The solver does not have this order.") { Where = "solver_order", Expected = "1..3", Found = order.ToString() };
}
