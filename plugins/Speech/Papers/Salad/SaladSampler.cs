using System.Globalization;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech;

/// <summary>
/// Ancestral sampling over some of 1000 steps with cosine betas (Nichol and Dhariwal, arXiv:2102.09672), the variance between its two bounds as the network says. Knows no network.
/// </summary>
internal sealed class SaladSampler
{
    private const int Trained = 1000;
    private readonly long[] _steps;
    private readonly double[] _alphaBars, _betas;

    /// <param name="steps">A number of steps, or numbers for equal sections of the 1000, such as <c>8,0</c>.</param>
    public SaladSampler(string steps)
    {
        _steps = Kept([.. steps.Split(',').Select(part => int.Parse(part, CultureInfo.InvariantCulture))]);
        static double Bar(double t) => Math.Pow(Math.Cos((t + 0.008) / 1.008 * Math.PI / 2), 2);
        var (bar, all) = (1.0, new double[Trained]);
        for (var i = 0; i < Trained; i++) all[i] = bar *= 1 - Math.Min(1 - Bar((i + 1.0) / Trained) / Bar((double)i / Trained), 0.999);
        _alphaBars = [.. _steps.Select(step => all[step])];
        _betas = [.. _alphaBars.Select((value, i) => 1 - value / (i == 0 ? 1 : _alphaBars[i - 1]))];
    }

    /// <summary>Number of steps.</summary>
    public int Count => _steps.Length;

    /// <summary>The index that the network knows a step by.</summary>
    public long Time(int index) => _steps[index];

    /// <summary>One step: from x at a step to the one below. predicted holds noise and variance fraction (N, 2 D); the last step takes no noise.</summary>
    public Tensor<float> Step(int index, Tensor<float> x, Tensor<float> predicted, ReadOnlySpan<float> noise, float temperature)
    {
        var (bar, before, beta) = (_alphaBars[index], index == 0 ? 1 : _alphaBars[index - 1], _betas[index]);
        var (first, second) = ((float)Math.Sqrt(1 / bar), (float)Math.Sqrt(1 / bar - 1));
        var (clean, noisy) = ((float)(beta * Math.Sqrt(before) / (1 - bar)), (float)((1 - before) * Math.Sqrt(1 - beta) / (1 - bar)));
        var (high, low) = ((float)Math.Log(beta), (float)Math.Log(PosteriorVariance(Math.Max(index, Math.Min(1, Count - 1)))));
        var (result, width) = (Tensor.Zeros<float>(x.Shape), (int)x.Shape[^1]);
        for (var i = 0; i < result.Length; i++)
        {
            var place = i / width * 2 * width + i % width;
            var (epsilon, fraction) = (predicted.Span[place], (predicted.Span[place + width] + 1) / 2);
            var mean = clean * (first * x.Span[i] - second * epsilon) + noisy * x.Span[i];
            var deviation = MathF.Exp(0.5f * (fraction * high + (1 - fraction) * low));
            result.Span[i] = index == 0 ? mean : mean + deviation * noise[i] * temperature;
        }

        return result;
    }

    private double PosteriorVariance(int index) => _betas[index] * (1 - (index == 0 ? 1 : _alphaBars[index - 1])) / (1 - _alphaBars[index]);

    // Each section gives its first and last step and what lies evenly between, rounded to even.
    private static long[] Kept(int[] counts)
    {
        var (kept, start) = (new List<long>(), 0);
        for (var section = 0; section < counts.Length; section++)
        {
            var size = Trained / counts.Length + (section < Trained % counts.Length ? 1 : 0);
            var count = counts[section];
            if (count < 0 || count > size) throw new OptionsException(ErrorCodes.OptionRange, "A section has fewer steps.") { Where = "steps", Expected = $"0..{size}", Found = $"{count}" };
            for (var (i, place) = (0, 0.0); i < count; i++, place += count == 1 ? 1 : (size - 1.0) / (count - 1)) kept.Add(start + (long)Math.Round(place));
            start += size;
        }

        return kept.Count > 0 ? [.. kept] : throw new OptionsException(ErrorCodes.OptionRange, "There are no steps.") { Where = "steps", Expected = "at least one" };
    }
}
