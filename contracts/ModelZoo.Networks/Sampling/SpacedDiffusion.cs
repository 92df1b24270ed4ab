using System.Globalization;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Networks.Sampling;

/// <summary>
/// The diffusion process of OpenAI's code (Nichol and Dhariwal, arXiv:2102.09672; Dhariwal and Nichol, arXiv:2105.05233) as DiT, MAR and their descendants publish it: 1000 trained steps, of which some are kept, with variances that
/// the network may learn. Tables are computed in double and used as float. Steps are counted from the clean end: a run goes from <see cref="Count"/> - 1 down to 0.
/// </summary>
public sealed class SpacedDiffusion
{
    private const int TrainedSteps = 1000;
    private const NumberStyles Spaces = NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite;
    private readonly double[] _betas, _alphaBars;

    /// <summary>The process.</summary>
    /// <param name="respacing">A number of steps (<c>250</c>), numbers of steps of equal sections (<c>10,15,20</c>), or every n-th so that there are that many (<c>ddim50</c>); all when empty.</param>
    /// <param name="schedule"><see cref="BetaSchedule.Linear"/>, 0.0001 to 0.02, or <see cref="BetaSchedule.SquaredCosine"/>.</param>
    /// <exception cref="OptionsException">The process cannot be divided that way.</exception>
    public SpacedDiffusion(string respacing, BetaSchedule schedule = BetaSchedule.Linear)
    {
        var kept = Kept(respacing);
        Timesteps = [.. kept];
        (_betas, _alphaBars) = (new double[Count], new double[Count]);
        var (product, last, next) = (1.0, 1.0, 0);
        for (var step = 0; step < TrainedSteps && next < Count; step++)
        {
            product *= 1 - Beta(schedule, step);
            if (step != Timesteps[next]) continue;
            _betas[next] = 1 - product / last;
            _alphaBars[next++] = last = product;
        }
    }

    /// <summary>The kept steps in the numbering of the trained process, ascending: what the network is told.</summary>
    public IReadOnlyList<int> Timesteps { get; }

    /// <summary>Number of kept steps.</summary>
    public int Count => Timesteps.Count;

    /// <summary>One ancestral step (DDPM), in place.</summary>
    /// <param name="step">The step.</param>
    /// <param name="epsilon">The predicted noise.</param>
    /// <param name="variance">Where the variance lies between its bounds, -1..1; empty for the larger bound.</param>
    /// <param name="x">The sample.</param>
    /// <param name="noise">Standard normal numbers; not read at step 0.</param>
    /// <param name="temperature">Factor on the noise.</param>
    /// <param name="clip">Whether the clean sample is held within -1..1.</param>
    /// <param name="clean">Where the clean sample goes that was seen; empty when nobody asks.</param>
    public void Step(int step, ReadOnlySpan<float> epsilon, ReadOnlySpan<float> variance, Span<float> x, ReadOnlySpan<float> noise, float temperature = 1, bool clip = false, Span<float> clean = default)
    {
        var (alpha, previous, beta) = (_alphaBars[step], Previous(step), _betas[step]);
        var (recip, recipMinusOne) = Reciprocals(step);
        var fromClean = (float)(beta * Math.Sqrt(previous) / (1 - alpha));
        var fromNoisy = (float)((1 - previous) * Math.Sqrt(1 - beta) / (1 - alpha));
        var (minLog, maxLog) = ((float)Math.Log(PosteriorVariance(step)), (float)Math.Log(beta));
        for (var i = 0; i < x.Length; i++)
        {
            var seen = Seen(recip * x[i] - recipMinusOne * epsilon[i], clip);
            if (!clean.IsEmpty) clean[i] = seen;
            x[i] = fromClean * seen + fromNoisy * x[i];
            if (step == 0) continue;
            var share = variance.IsEmpty ? 1 : (variance[i] + 1) / 2;
            x[i] += MathF.Exp(0.5f * (share * maxLog + (1 - share) * minLog)) * noise[i] * temperature;
        }
    }

    /// <summary>One implicit step (DDIM; Song et al., arXiv:2010.02502, eq. 12) with <paramref name="eta"/> of DDPM's noise, in place.</summary>
    /// <param name="step">The step.</param>
    /// <param name="epsilon">The predicted noise.</param>
    /// <param name="x">The sample.</param>
    /// <param name="noise">Standard normal numbers; not read at step 0, or where <paramref name="eta"/> is 0.</param>
    /// <param name="eta">Part of DDPM's noise, 0..1.</param>
    /// <param name="clip">Whether the clean sample is held within -1..1.</param>
    /// <param name="clean">Where the clean sample goes that was seen; empty when nobody asks.</param>
    public void ImplicitStep(int step, ReadOnlySpan<float> epsilon, Span<float> x, ReadOnlySpan<float> noise, float eta = 0, bool clip = false, Span<float> clean = default)
    {
        var (recip, recipMinusOne) = Reciprocals(step);
        var (alpha, previous) = ((float)_alphaBars[step], (float)Previous(step));
        var sigma = eta * MathF.Sqrt((1 - previous) / (1 - alpha)) * MathF.Sqrt(1 - alpha / previous);
        var (rootPrevious, direction) = (MathF.Sqrt(previous), MathF.Sqrt(1 - previous - sigma * sigma));
        for (var i = 0; i < x.Length; i++)
        {
            var seen = Seen(recip * x[i] - recipMinusOne * epsilon[i], clip);
            if (!clean.IsEmpty) clean[i] = seen;
            x[i] = seen * rootPrevious + direction * ((recip * x[i] - seen) / recipMinusOne);
            if (step > 0 && sigma > 0) x[i] += sigma * noise[i];
        }
    }

    /// <summary>The noise that a predicted clean sample stands for, in place, for networks that predict the latter.</summary>
    public void NoiseOf(int step, Span<float> clean, ReadOnlySpan<float> x)
    {
        var (recip, recipMinusOne) = Reciprocals(step);
        for (var i = 0; i < x.Length; i++) clean[i] = (recip * x[i] - clean[i]) / recipMinusOne;
    }

    /// <summary>A clean sample with the noise of a step: sqrt(a) clean + sqrt(1 - a) noise.</summary>
    public void AddNoise(int step, ReadOnlySpan<float> clean, ReadOnlySpan<float> noise, Span<float> destination)
    {
        var (signal, deviation) = ((float)Math.Sqrt(_alphaBars[step]), (float)Math.Sqrt(1 - _alphaBars[step]));
        for (var i = 0; i < destination.Length; i++) destination[i] = signal * clean[i] + deviation * noise[i];
    }

    private static float Seen(float clean, bool clip) => clip ? Math.Clamp(clean, -1, 1) : clean;

    private (float Recip, float RecipMinusOne) Reciprocals(int step) => ((float)Math.Sqrt(1 / _alphaBars[step]), (float)Math.Sqrt(1 / _alphaBars[step] - 1));

    private double Previous(int step) => step == 0 ? 1 : _alphaBars[step - 1];

    // The first step's is 0; it is taken as the second's.
    private double PosteriorVariance(int step) => step == 0 && Count > 1 ? PosteriorVariance(1) : _betas[step] * (1 - Previous(step)) / (1 - _alphaBars[step]);

    private static double Beta(BetaSchedule schedule, int step) => schedule switch
    {
        BetaSchedule.Linear => 0.0001 + step * ((0.02 - 0.0001) / (TrainedSteps - 1)),
        BetaSchedule.SquaredCosine => Math.Min(1 - AlphaBar(step + 1) / AlphaBar(step), 0.999),
        _ => throw new ArgumentOutOfRangeException(nameof(schedule), schedule, "Linear or SquaredCosine."),
    };

    private static double AlphaBar(int step) => Math.Pow(Math.Cos(((double)step / TrainedSteps + 0.008) / 1.008 * Math.PI / 2), 2);

    private static SortedSet<int> Kept(string respacing)
    {
        if (respacing.Length == 0) return [.. Enumerable.Range(0, TrainedSteps)];
        if (respacing.StartsWith("ddim", StringComparison.Ordinal)) return Strided(respacing);
        var counts = respacing.Split(',').Select(text => int.TryParse(text, Spaces, CultureInfo.InvariantCulture, out var count) ? count : throw Refused(respacing)).ToArray();
        var (kept, start) = (new SortedSet<int>(), 0);
        for (var section = 0; section < counts.Length; section++)
        {
            var size = TrainedSteps / counts.Length + (section < TrainedSteps % counts.Length ? 1 : 0);
            if (size < counts[section]) throw Refused(respacing);
            // The first and the last of a section and what lies evenly between, rounded to even.
            var stride = counts[section] <= 1 ? 1 : (size - 1) / (double)(counts[section] - 1);
            for (var (i, place) = (0, 0.0); i < counts[section]; i++, place += stride) kept.Add(start + (int)Math.Round(place));
            start += size;
        }

        return kept.Count > 0 ? kept : throw Refused(respacing);
    }

    private static SortedSet<int> Strided(string respacing)
    {
        if (!int.TryParse(respacing.AsSpan(4), Spaces, CultureInfo.InvariantCulture, out var count)) throw Refused(respacing);
        for (var stride = 1; stride < TrainedSteps; stride++)
        {
            if ((TrainedSteps + stride - 1) / stride == count) return [.. Enumerable.Range(0, count).Select(i => i * stride)];
        }

        throw Refused(respacing);
    }

    private static OptionsException Refused(string respacing) => new(ErrorCodes.OptionRange, $"{TrainedSteps} steps cannot be divided that way.")
    { Where = "steps of the diffusion", Expected = "a count, counts of sections such as 10,15,20, or ddimN with a whole stride", Found = respacing };
}
