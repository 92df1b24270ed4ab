using ModelZoo.Contracts;

namespace ModelZoo.Networks.Autoencoders;

/// <summary>The velocity of a picture x (B, 3, H, W) at a time (B) under conditions (B, k, D).</summary>
public delegate Task<Tensor<float>> DArVelocity(Tensor<float> x, Tensor<float> t, Tensor<float> condition);

/// <summary>Pixels of D-AR's codes: Adams-Bashforth of second order over the shifted times, the first step being Euler's.</summary>
/// <param name="Config">The tokenizer.</param>
public sealed record DArSampler(DArTokenizerConfig Config)
{
    /// <summary>Only the first steps are taken; the last of them still goes to the end. Null for all.</summary>
    public int? ClipSteps { get; init; }

    /// <summary>Steps that are left out at the start.</summary>
    public int? StartSteps { get; init; }

    /// <summary>A picture (B, 3, H, W) to start from, with <see cref="StartSteps"/>.</summary>
    public Tensor<float>? Start { get; init; }

    /// <summary>Codes that are known; steps see no others. Null for all.</summary>
    public int? KnownCodes { get; init; }

    /// <summary>Runs; gives the picture (B, 3, H, W), not cut to any range.</summary>
    /// <param name="condition">(B, codes, D).</param>
    /// <param name="noise">Standard normal numbers (B, 3, H, W).</param>
    /// <param name="velocity">The network.</param>
    public async Task<Tensor<float>> SampleAsync(Tensor<float> condition, Tensor<float> noise, DArVelocity velocity, CancellationToken cancel = default)
    {
        int[] steps = [.. Enumerable.Range(0, Config.NumDenoisingSteps).Take(ClipSteps ?? int.MaxValue).Skip(StartSteps ?? 0).Where(step => Config.StepStart(step) < (KnownCodes ?? int.MaxValue))];
        var diffusion = Config.DiffDecoder;
        float[] schedule = [.. steps.Take(ClipSteps ?? int.MaxValue).Select(step => Shifted((float)step / Config.NumDenoisingSteps)), Shifted(1)];
        var x = Tensor.Create(noise.Span.ToArray(), noise.Shape);
        if (StartSteps is { } start && Start is { } picture)
        {
            // The authors cut the steps once more here.
            (steps, schedule) = (steps[start..], schedule[start..]);
            for (var i = 0; i < x.Length; i++) x.Span[i] = noise.Span[i] * (1 - schedule[0]) + picture.Span[i] * (float)diffusion.DataStd * schedule[0];
        }

        Tensor<float>? before = null;
        var times = Tensor.Zeros<float>(x.Shape[0]);
        for (var i = 0; i + 1 < schedule.Length; i++)
        {
            cancel.ThrowIfCancellationRequested();
            times.Span.Fill(schedule[i]);
            var v = await velocity(x, times, Seen(condition, steps[i])).ConfigureAwait(false);
            var dt = schedule[i + 1] - schedule[i];
            var next = Tensor.Zeros<float>(x.Shape);
            for (var k = 0; k < x.Length; k++) next.Span[k] = x.Span[k] + dt * (before is null ? v.Span[k] : 1.5f * v.Span[k] - 0.5f * before.Span[k]);
            (x, before) = (next, v);
        }

        foreach (ref var value in x.Span) value *= (float)(1 / diffusion.DataStd);
        return x;
    }

    private float Shifted(float t) => t / (t + (float)Config.DiffDecoder.TimeShift * (1 - t));

    private Tensor<float> Seen(Tensor<float> condition, int step)
    {
        var (start, width) = (Config.StepStart(step), (int)condition.Shape[2]);
        var count = Math.Min(start + Config.StepQueries, KnownCodes ?? int.MaxValue) - start;
        var seen = Tensor.Zeros<float>(condition.Shape[0], count, width);
        for (var row = 0; row < seen.Shape[0]; row++) condition.Slice(row).Span.Slice(start * width, count * width).CopyTo(seen.Slice(row).Span);
        return seen;
    }
}
