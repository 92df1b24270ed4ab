using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>
/// Ancestral sampling of guided-diffusion (Dhariwal and Nichol, arXiv:2105.05233): 1000 linear betas, learned range of variances (Nichol and Dhariwal, arXiv:2102.09672, eq. 15), respaced to fewer steps.
/// </summary>
internal sealed class AdmDiffusion
{
    private const int Trained = 1000;
    private readonly int[] _kept;
    private readonly double[] _betas, _products;

    /// <summary>The respaced process.</summary>
    /// <param name="spacing">A number of steps, several with commas (one a section), or <c>ddimN</c>.</param>
    public AdmDiffusion(string spacing)
    {
        _kept = Spaced(spacing);
        (_betas, _products) = (new double[_kept.Length], new double[_kept.Length]);
        var (product, last, next) = (1.0, 1.0, 0);
        for (var t = 0; t < Trained; t++)
        {
            product *= 1 - (0.0001 + (0.02 - 0.0001) * t / (Trained - 1));
            if (next >= _kept.Length || _kept[next] != t) continue;
            (_betas[next], _products[next]) = (1 - product / last, product);
            (last, next) = (product, next + 1);
        }
    }

    /// <summary>Number of steps.</summary>
    public int Steps => _kept.Length;

    /// <summary>The trained time of a step; steps count from the noisiest.</summary>
    public int Timestep(int step) => _kept[^(step + 1)];

    /// <summary>One step, in place. x (B, C, ..), output (B, 2 C, ..): noise, then the place of the variance between its bounds; draw: standard normal, not used in the last step.</summary>
    public void Step(int step, Tensor<float> x, Tensor<float> output, ReadOnlySpan<float> draw)
    {
        var i = _kept.Length - 1 - step;
        var (beta, product, before) = (_betas[i], _products[i], i > 0 ? _products[i - 1] : 1.0);
        var posterior = beta * (1 - before) / (1 - product);
        var smallest = (float)Math.Log(i > 0 ? posterior : _kept.Length > 1 ? _betas[1] * (1 - _products[0]) / (1 - _products[1]) : beta);
        var largest = (float)Math.Log(beta);
        var (fromClean, fromNoisy) = ((float)(beta * Math.Sqrt(before) / (1 - product)), (float)((1 - before) * Math.Sqrt(1 - beta) / (1 - product)));
        var (inverse, ratio) = ((float)Math.Sqrt(1 / product), (float)Math.Sqrt(1 / product - 1));
        var size = x.Length / (int)x.Shape[0];
        for (var k = 0; k < x.Length; k++)
        {
            var at = k / size * 2 * size + k % size;
            var clean = inverse * x.Span[k] - ratio * output.Span[at];
            var mean = fromClean * clean + fromNoisy * x.Span[k];
            var place = (output.Span[at + size] + 1) / 2;
            x.Span[k] = i == 0 ? mean : mean + MathF.Exp(0.5f * (place * largest + (1 - place) * smallest)) * draw[k];
        }
    }

    private static int[] Spaced(string spacing)
    {
        if (spacing.StartsWith("ddim", StringComparison.Ordinal))
        {
            var wanted = int.Parse(spacing[4..], System.Globalization.CultureInfo.InvariantCulture);
            var stride = Enumerable.Range(1, Trained - 1).FirstOrDefault(stride => (Trained + stride - 1) / stride == wanted);
            if (stride == 0) throw new OptionsException(ErrorCodes.OptionRange, "No whole stride gives so many steps.") { Where = "num_sampling_steps", Found = spacing };
            return [.. Enumerable.Range(0, wanted).Select(i => i * stride)];
        }

        var counts = spacing.Split(',').Select(count => int.Parse(count, System.Globalization.CultureInfo.InvariantCulture)).ToArray();
        var (start, kept) = (0, new SortedSet<int>());
        for (var section = 0; section < counts.Length; section++)
        {
            var size = Trained / counts.Length + (section < Trained % counts.Length ? 1 : 0);
            var stride = counts[section] <= 1 ? 1 : (double)(size - 1) / (counts[section] - 1);
            for (var (i, at) = (0, 0.0); i < counts[section]; i++, at += stride) kept.Add(start + (int)Math.Round(at, MidpointRounding.ToEven));
            start += size;
        }

        return [.. kept];
    }
}
