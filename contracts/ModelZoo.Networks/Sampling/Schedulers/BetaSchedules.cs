namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>The training schedules of variance-preserving diffusion, rounded to float32 where the reference library rounds.</summary>
public static class BetaSchedules
{
    /// <summary>Beta of each training step.</summary>
    public static float[] Betas(BetaSchedule schedule, int steps, double start, double end)
    {
        switch (schedule)
        {
            case BetaSchedule.Linear: return Spacing.Linspace32((float)start, (float)end, steps);
            case BetaSchedule.ScaledLinear: return Array.ConvertAll(Spacing.Linspace32((float)Math.Sqrt(start), (float)Math.Sqrt(end), steps), x => x * x);
            case BetaSchedule.Sigmoid: return Array.ConvertAll(Spacing.Linspace32(-6, 6, steps), x => 1 / (1 + MathF.Exp(-x)) * (float)(end - start) + (float)start);
            case BetaSchedule.SquaredCosine: return FromAlphaBar(steps, t => Math.Pow(Math.Cos((t + 0.008) / 1.008 * Math.PI / 2), 2));
            case BetaSchedule.Exp: return FromAlphaBar(steps, t => Math.Exp(-12 * t));
            case BetaSchedule.Laplace: return FromAlphaBar(steps, LaplaceAlphaBar);
            default: throw new ArgumentOutOfRangeException(nameof(schedule));
        }
    }

    /// <summary>Shifts and scales the square roots of alpha-bar so that the last is zero and the first stays (Lin et al., algorithm 1).</summary>
    public static float[] RescaleZeroTerminalSnr(float[] betas)
    {
        var roots = Array.ConvertAll(CumulativeAlphas(betas), MathF.Sqrt);
        var (first, last) = (roots[0], roots[^1]);
        var scale = first / (first - last);
        var bars = Array.ConvertAll(roots, root => (root - last) * scale * ((root - last) * scale));
        var result = new float[betas.Length];
        for (var i = 0; i < result.Length; i++) result[i] = 1 - (i == 0 ? bars[0] : bars[i] / bars[i - 1]);
        return result;
    }

    /// <summary>Running product of 1 - beta; accumulated in double precision, each product rounded.</summary>
    public static float[] CumulativeAlphas(float[] betas)
    {
        var product = 1.0;
        return Array.ConvertAll(betas, beta => (float)(product *= 1f - beta));
    }

    private static float[] FromAlphaBar(int steps, Func<double, double> alphaBar)
    {
        var betas = new float[steps];
        for (var i = 0; i < steps; i++) betas[i] = (float)Math.Min(1 - alphaBar((i + 1.0) / steps) / alphaBar((double)i / steps), 0.999);
        return betas;
    }

    private static double LaplaceAlphaBar(double t)
    {
        var logSnr = -0.5 * Math.CopySign(1, 0.5 - t) * Math.Log(1 - 2 * Math.Abs(0.5 - t) + 1e-6);
        var snr = Math.Exp(logSnr);
        return Math.Sqrt(snr / (1 + snr));
    }
}
