using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Timesteps of distilled models: some of those that the teacher's sampler visited.</summary>
internal static class DistilledSpacing
{
    public static IEnumerable<double> Timesteps(ScheduleRequest request, int trained, int originalSteps, bool everyStepWhenGiven = false)
    {
        var original = request.OriginalSteps ?? originalSteps;
        if (request.Timesteps is { } given)
        {
            var kept = Math.Min((int)(given.Count * request.Strength), given.Count);
            return given.Skip(given.Count - kept);
        }

        var steps = Spacing.Check(request.Count, trained);
        double[] teacher = everyStepWhenGiven && request.OriginalSteps is not null
            ? [.. Enumerable.Range(0, (int)(trained * request.Strength)).Select(i => (double)i)]
            : [.. Enumerable.Range(1, (int)(original * request.Strength)).Select(i => (double)i * (trained / original) - 1)];
        if (teacher.Length < steps)
        {
            throw new OptionsException(ErrorCodes.OptionRange, "The teacher's schedule has fewer steps than are asked for.")
            { Where = "num_inference_steps", Expected = $"1..{teacher.Length}", Found = steps.ToString() };
        }

        Array.Reverse(teacher);
        return Enumerable.Range(0, steps).Select(i => teacher[(int)Math.Floor(i * ((double)teacher.Length / steps))]);
    }
}
