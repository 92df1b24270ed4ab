using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Evenly spaced numbers and the timesteps that samplers visit, rounded as the reference library rounds them.</summary>
internal static class Spacing
{
    /// <summary>float32 numbers from start to end inclusive; counted from the nearer end, each rounded once.</summary>
    public static float[] Linspace32(float start, float end, int count)
    {
        var values = new float[count];
        if (count == 1) return [start];
        var step = (end - start) / (count - 1);
        for (var i = 0; i < count; i++) values[i] = i < count / 2 ? MathF.FusedMultiplyAdd(step, i, start) : MathF.FusedMultiplyAdd(-step, count - 1 - i, end);
        return values;
    }

    /// <summary>Numbers from start to end inclusive.</summary>
    public static double[] Linspace(double start, double end, int count)
    {
        var values = new double[count];
        for (var i = 0; i < count; i++) values[i] = count == 1 ? start : start + i * ((end - start) / (count - 1));
        if (count > 1) values[^1] = end;
        return values;
    }

    /// <summary>Descending training steps for samplers that visit <paramref name="steps"/> of them (DDPM, DDIM, Euler...).</summary>
    public static double[] Timesteps(TimestepSpacing spacing, int trained, int steps, int offset, bool round) => spacing switch
    {
        TimestepSpacing.Linspace => Reversed(Linspace(0, trained - 1, steps), round),
        TimestepSpacing.Leading => Leading(steps, trained / steps, offset),
        _ => Trailing(trained, trained, steps),
    };

    /// <summary>Descending training steps for multistep solvers, whose schedule has one more entry that is the end itself.</summary>
    public static double[] SolverTimesteps(TimestepSpacing spacing, int trained, int last, int steps, int offset) => spacing switch
    {
        TimestepSpacing.Linspace => Reversed(Linspace(0, last - 1, steps + 1), round: true)[..^1],
        TimestepSpacing.Leading => Leading(steps + 1, last / (steps + 1), offset)[..^1],
        _ => Trailing(last, trained, steps),
    };

    /// <summary>Refuses more steps than <paramref name="most"/>: those that were trained, unless a method finds levels between them.</summary>
    public static int Check(int steps, int most = 1_000_000) => steps >= 1 && steps <= most
        ? steps
        : throw new OptionsException(ErrorCodes.OptionRange, "The schedule cannot have that many steps.")
        { Where = "num_inference_steps", Expected = $"1..{most}", Found = steps.ToString() };

    private static double[] Reversed(double[] ascending, bool round)
    {
        if (round) ascending = Array.ConvertAll(ascending, Math.Round);
        Array.Reverse(ascending);
        return ascending;
    }

    private static double[] Leading(int steps, int ratio, int offset)
    {
        var values = new double[steps];
        for (var i = 0; i < steps; i++) values[i] = (steps - 1 - i) * ratio + offset;
        return values;
    }

    private static double[] Trailing(int last, int trained, int steps)
    {
        var ratio = (double)trained / steps;
        var stride = last - ratio - last;
        var values = new double[Math.Max(0, (int)Math.Ceiling(-last / -ratio))];
        for (var i = 0; i < values.Length; i++) values[i] = Math.Round(last + i * stride) - 1;
        return values;
    }
}
