// Improved Denoising Diffusion Probabilistic Models. Nichol, Dhariwal. arXiv:2102.09672: the cosine schedule, learned variances, and a subset of the trained steps.
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The diffusion of MAR's heads: 1000 steps of the cosine schedule, of which some are kept. Tables are computed in double and used as float. Steps are counted from the clean end.</summary>
internal sealed class RespacedDiffusion
{
    private const int TrainedSteps = 1000;
    private const double FirstBeta = 1e-4, LastBeta = 0.02;
    private readonly double[] _betas, _alphasCumprod;

    private RespacedDiffusion(IReadOnlyList<int> kept, bool linear)
    {
        Timesteps = [.. kept.Select(step => (float)step)];
        (_betas, _alphasCumprod) = (new double[kept.Count], new double[kept.Count]);
        var (product, last, next) = (1.0, 1.0, 0);
        for (var step = 0; step < TrainedSteps && next < kept.Count; step++)
        {
            product *= 1 - (linear ? FirstBeta + (LastBeta - FirstBeta) * step / (TrainedSteps - 1) : Math.Min(1 - AlphaBar(step + 1.0) / AlphaBar(step), 0.999));
            if (step != kept[next]) continue;
            _betas[next] = 1 - product / last;
            _alphasCumprod[next++] = last = product;
        }
    }

    /// <summary>The kept steps in the numbering of the trained process, ascending: what the model is told.</summary>
    public IReadOnlyList<float> Timesteps { get; }

    /// <summary>Number of kept steps.</summary>
    public int Count => Timesteps.Count;

    /// <summary>Keeps a number of steps (<c>100</c>), numbers of steps of equal sections (<c>8,0</c>), or every n-th so that there are that many (<c>ddim50</c>); all when empty.</summary>
    /// <exception cref="OptionsException">The process cannot be divided that way.</exception>
    public static RespacedDiffusion Cosine(string respacing) => Of("cosine", respacing);

    /// <summary>A schedule by its published name, <c>cosine</c> or <c>linear</c>, at a subset of the trained steps as <see cref="Cosine"/> takes it.</summary>
    public static RespacedDiffusion Of(string schedule, string respacing)
    {
        var linear = schedule == "linear";
        if (respacing.Length == 0) respacing = TrainedSteps.ToString();
        if (respacing.StartsWith("ddim", StringComparison.Ordinal)) return new(Strided(respacing), linear);
        var counts = respacing.Split(',').Select(text => int.TryParse(text, out var count) && count >= 0 ? count : throw Refused(respacing)).ToArray();
        var kept = new SortedSet<int>();
        var start = 0;
        for (var section = 0; section < counts.Length; section++)
        {
            var size = TrainedSteps / counts.Length + (section < TrainedSteps % counts.Length ? 1 : 0);
            if (size < counts[section]) throw Refused(respacing);
            var stride = counts[section] <= 1 ? 1 : (size - 1) / (double)(counts[section] - 1);
            var position = 0.0;
            for (var i = 0; i < counts[section]; i++, position += stride) kept.Add(start + (int)Math.Round(position));
            start += size;
        }

        return kept.Count > 0 ? new([.. kept], linear) : throw Refused(respacing);
    }

    /// <summary>One ancestral step, in place.</summary>
    /// <param name="step">The step, from the number of steps less one down to 0.</param>
    /// <param name="epsilon">The predicted noise.</param>
    /// <param name="variance">Where the variance lies between its bounds, -1..1; empty for the larger bound.</param>
    /// <param name="x">The sample.</param>
    /// <param name="noise">Standard normal numbers; not read at step 0.</param>
    /// <param name="temperature">Factor on the noise.</param>
    public void Step(int step, ReadOnlySpan<float> epsilon, ReadOnlySpan<float> variance, Span<float> x, ReadOnlySpan<float> noise, float temperature)
    {
        var (alpha, previous, beta) = (_alphasCumprod[step], Previous(step), _betas[step]);
        var (recip, recipMinusOne) = ((float)Math.Sqrt(1 / alpha), (float)Math.Sqrt(1 / alpha - 1));
        var fromClean = (float)(beta * Math.Sqrt(previous) / (1 - alpha));
        var fromNoisy = (float)((1 - previous) * Math.Sqrt(1 - beta) / (1 - alpha));
        // The first step's posterior variance is 0; it is taken as the second's.
        var smaller = PosteriorVariance(step == 0 && Count > 1 ? 1 : step);
        var (minLog, maxLog) = ((float)Math.Log(smaller), (float)Math.Log(variance.IsEmpty && step == 0 ? smaller : beta));
        for (var i = 0; i < x.Length; i++)
        {
            var clean = recip * x[i] - recipMinusOne * epsilon[i];
            var mean = fromClean * clean + fromNoisy * x[i];
            if (step == 0)
            {
                x[i] = mean;
                continue;
            }

            var share = variance.IsEmpty ? 1 : (variance[i] + 1) / 2;
            x[i] = mean + MathF.Exp(0.5f * (share * maxLog + (1 - share) * minLog)) * noise[i] * temperature;
        }
    }

    /// <summary>The noise that a predicted clean sample stands for, in place, for networks that predict the latter.</summary>
    public void NoiseOf(int step, Span<float> clean, ReadOnlySpan<float> x)
    {
        var (recip, recipMinusOne) = ((float)Math.Sqrt(1 / _alphasCumprod[step]), (float)Math.Sqrt(1 / _alphasCumprod[step] - 1));
        for (var i = 0; i < x.Length; i++) clean[i] = (recip * x[i] - clean[i]) / recipMinusOne;
    }

    /// <summary>A clean sample with the noise of a step: sqrt(a) clean + sqrt(1 - a) noise.</summary>
    public void AddNoise(int step, ReadOnlySpan<float> clean, ReadOnlySpan<float> noise, Span<float> destination)
    {
        var (signal, deviation) = ((float)Math.Sqrt(_alphasCumprod[step]), (float)Math.Sqrt(1 - _alphasCumprod[step]));
        for (var i = 0; i < destination.Length; i++) destination[i] = signal * clean[i] + deviation * noise[i];
    }

    private double Previous(int step) => step == 0 ? 1 : _alphasCumprod[step - 1];

    private double PosteriorVariance(int step) => _betas[step] * (1 - Previous(step)) / (1 - _alphasCumprod[step]);

    private static double AlphaBar(double step) => Math.Cos((step / TrainedSteps + 0.008) / 1.008 * Math.PI / 2) is var cosine ? cosine * cosine : 0;

    private static int[] Strided(string respacing)
    {
        if (!int.TryParse(respacing.AsSpan(4), out var count)) throw Refused(respacing);
        for (var stride = 1; stride < TrainedSteps; stride++)
        {
            if ((TrainedSteps + stride - 1) / stride == count) return [.. Enumerable.Range(0, count).Select(i => i * stride)];
        }

        throw Refused(respacing);
    }

    private static OptionsException Refused(string respacing) => new(ErrorCodes.OptionRange, $"{TrainedSteps} steps cannot be divided that way.")
    { Where = "num_sampling_steps", Expected = "a count, counts of sections such as 8,0, or ddimN with a whole stride", Found = respacing };
}
