using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>
/// The diffusion process of OpenAI's ADM code as DiT publishes it (diffusion/gaussian_diffusion.py, respace.py): 1000 steps with betas that grow linearly, of which some are kept.
/// Tables are computed in double and used as float. Steps are counted from the clean end.
/// </summary>
internal sealed class SpacedDiffusion
{
    private const int TrainedSteps = 1000;
    private readonly double[] _betas, _alphasCumprod;
    private readonly bool _learnedVariance;

    private SpacedDiffusion(SortedSet<int> kept, bool learnedVariance)
    {
        _learnedVariance = learnedVariance;
        Timesteps = [.. kept.Select(step => (long)step)];
        _betas = new double[Timesteps.Count];
        _alphasCumprod = new double[Timesteps.Count];
        var (product, last, next) = (1.0, 1.0, 0);
        for (var step = 0; step < TrainedSteps; step++)
        {
            product *= 1 - (0.0001 + step * ((0.02 - 0.0001) / (TrainedSteps - 1)));
            if (!kept.Contains(step)) continue;
            _betas[next] = 1 - product / last;
            _alphasCumprod[next++] = last = product;
        }
    }

    /// <summary>The kept steps in the numbering of the trained process, ascending: what the model is told.</summary>
    public IReadOnlyList<long> Timesteps { get; }

    /// <summary>Keeps a number of steps (<c>250</c>), numbers of steps of equal sections (<c>10,15,20</c>), or every n-th so that there are that many (<c>ddim50</c>); all when empty.</summary>
    /// <param name="respacing">What is kept.</param>
    /// <param name="learnedVariance">True when the model gives, beside the noise, where the variance lies between its bounds.</param>
    /// <exception cref="OptionsException">The process cannot be divided that way.</exception>
    public static SpacedDiffusion Create(string respacing, bool learnedVariance)
    {
        if (respacing.Length == 0) respacing = TrainedSteps.ToString();
        if (respacing.StartsWith("ddim", StringComparison.Ordinal)) return new(Strided(respacing), learnedVariance);
        var counts = respacing.Split(',').Select(text => int.TryParse(text, out var count) ? count : throw Refused(respacing)).ToArray();
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

        return new(kept, learnedVariance);
    }

    /// <summary>One ancestral step (DDPM). output is the model's at <c>Timesteps[step]</c>, (B, C or 2C, ..); x and noise (B, C, ..). Gives x one step cleaner and the clean sample that was seen.</summary>
    public (Tensor<float> Sample, Tensor<float> Clean) PSample(int step, Tensor<float> output, Tensor<float> x, Tensor<float> noise, bool clip)
    {
        var (clean, variance) = Predict(step, output, x, clip);
        var (alpha, previous) = (_alphasCumprod[step], Previous(step));
        var fromClean = (float)(_betas[step] * Math.Sqrt(previous) / (1 - alpha));
        var fromNoisy = (float)((1 - previous) * Math.Sqrt(1 - _betas[step]) / (1 - alpha));
        var (minLog, maxLog) = ((float)PosteriorLogVariance(step), (float)Math.Log(_betas[step]));
        var fixedLog = (float)Math.Log(step == 0 ? PosteriorVariance(Math.Min(1, _betas.Length - 1)) : _betas[step]);
        var sample = Tensor.Zeros<float>(x.Shape);
        for (var i = 0; i < x.Length; i++)
        {
            var mean = fromClean * clean.Span[i] + fromNoisy * x.Span[i];
            var share = variance is null ? 0 : (variance.Span[i] + 1) / 2;
            var log = variance is null ? fixedLog : share * maxLog + (1 - share) * minLog;
            sample.Span[i] = step == 0 ? mean : mean + MathF.Exp(0.5f * log) * noise.Span[i];
        }

        return (sample, clean);
    }

    /// <summary>One implicit step (DDIM, equation 12) with <paramref name="eta"/> of DDPM's noise.</summary>
    public (Tensor<float> Sample, Tensor<float> Clean) DdimSample(int step, Tensor<float> output, Tensor<float> x, Tensor<float>? noise, bool clip, float eta)
    {
        var (clean, _) = Predict(step, output, x, clip);
        var (recip, recipMinusOne) = Reciprocals(step);
        var (alpha, previous) = ((float)_alphasCumprod[step], (float)Previous(step));
        var sigma = eta * MathF.Sqrt((1 - previous) / (1 - alpha)) * MathF.Sqrt(1 - alpha / previous);
        var (rootPrevious, direction) = (MathF.Sqrt(previous), MathF.Sqrt(1 - previous - sigma * sigma));
        var sample = Tensor.Zeros<float>(x.Shape);
        for (var i = 0; i < x.Length; i++)
        {
            var epsilon = (recip * x.Span[i] - clean.Span[i]) / recipMinusOne;
            sample.Span[i] = clean.Span[i] * rootPrevious + direction * epsilon;
            if (step > 0 && sigma > 0) sample.Span[i] += sigma * noise!.Span[i];
        }

        return (sample, clean);
    }

    private (Tensor<float> Clean, Tensor<float>? Variance) Predict(int step, Tensor<float> output, Tensor<float> x, bool clip)
    {
        var channels = (int)x.Shape[1];
        var epsilon = output.Shape[1] == channels ? output : Batch.Channels(output, 0, channels);
        var variance = _learnedVariance ? Batch.Channels(output, channels, channels) : null;
        var (recip, recipMinusOne) = Reciprocals(step);
        var clean = Tensor.Zeros<float>(x.Shape);
        for (var i = 0; i < x.Length; i++)
        {
            var value = recip * x.Span[i] - recipMinusOne * epsilon.Span[i];
            clean.Span[i] = clip ? Math.Clamp(value, -1, 1) : value;
        }

        return (clean, variance);
    }

    private (float, float) Reciprocals(int step) => ((float)Math.Sqrt(1 / _alphasCumprod[step]), (float)Math.Sqrt(1 / _alphasCumprod[step] - 1));

    private double Previous(int step) => step == 0 ? 1 : _alphasCumprod[step - 1];

    private double PosteriorVariance(int step) => _betas[step] * (1 - Previous(step)) / (1 - _alphasCumprod[step]);

    // The first step's variance is 0; its logarithm is taken as the second's.
    private double PosteriorLogVariance(int step) => Math.Log(PosteriorVariance(step == 0 && _betas.Length > 1 ? 1 : step));

    private static SortedSet<int> Strided(string respacing)
    {
        if (!int.TryParse(respacing.AsSpan(4), out var count)) throw Refused(respacing);
        for (var stride = 1; stride < TrainedSteps; stride++)
        {
            if ((TrainedSteps + stride - 1) / stride == count) return [.. Enumerable.Range(0, count).Select(i => i * stride)];
        }

        throw Refused(respacing);
    }

    private static OptionsException Refused(string respacing) => new(ErrorCodes.OptionRange, $"{TrainedSteps} steps cannot be divided that way.")
    { Where = "timestep_respacing", Expected = "a count, counts of sections such as 10,15,20, or ddimN with a whole stride", Found = respacing };
}
