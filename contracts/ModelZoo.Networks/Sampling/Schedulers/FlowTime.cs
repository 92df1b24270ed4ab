using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>The time of a straight flow, 1 noise to 0 data, shifted towards noise for larger images (Stable Diffusion 3, section 5.3.2).</summary>
internal static class FlowTime
{
    /// <summary>The mu that a dynamically shifted flow needs.</summary>
    /// <exception cref="OptionsException">The request has none.</exception>
    public static double Mu(ScheduleRequest request) =>
        request.Mu ?? throw new OptionsException(ErrorCodes.OptionRange, "This flow is shifted by the size of the image: it needs mu.") { Where = "mu" };

    /// <summary>Shifts by exp(mu) or mu when one is given, else by <paramref name="shift"/>; then stretches so that the last time is <paramref name="terminal"/>.</summary>
    public static double[] Shifted(double[] times, double? mu, TimeShift type, double shift, double? terminal)
    {
        var factor = mu is { } m ? type == TimeShift.Exponential ? Math.Exp(m) : m : shift;
        var shifted = Array.ConvertAll(times, t => mu is null ? SigmaSpacing.Shift(t, shift) : factor / (factor + (1 / t - 1)));
        if (terminal is not { } end || end == 0) return shifted;
        var scale = (1 - shifted[^1]) / (1 - end);
        return Array.ConvertAll(shifted, t => 1 - (1 - t) / scale);
    }
}
