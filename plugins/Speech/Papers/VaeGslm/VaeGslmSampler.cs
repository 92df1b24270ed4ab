using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech;

/// <summary>The decoder's diffusion: DDIM (Song et al., arXiv:2010.02502) over some of the steps, or DDPM over all. The estimate of the clean mels is clamped; noise is not computed anew after that. Knows no network.</summary>
internal sealed class VaeGslmSampler
{
    private readonly VaeGslmDiffusion _config;
    private readonly double[] _betas, _alphaBars;

    /// <param name="config">The diffusion.</param>
    public VaeGslmSampler(VaeGslmDiffusion config)
    {
        _config = config;
        _betas = Betas(config.Timesteps, config.BetaSchedule);
        var bar = 1.0;
        _alphaBars = [.. _betas.Select(beta => bar *= 1 - beta)];
    }

    /// <summary>Draws that a run takes, the start not among them.</summary>
    public int Draws(int? steps) => (steps ?? _config.SamplingTimesteps ?? _config.Timesteps) - 1;

    /// <summary>Runs.</summary>
    /// <param name="start">Standard normal noise.</param>
    /// <param name="steps">Steps; fewer than were trained take DDIM. Null: as published.</param>
    /// <param name="noise">The draw of a number, in order.</param>
    /// <param name="predict">The network: state and time to noise or clean mels.</param>
    public async Task<Tensor<float>> SampleAsync(Tensor<float> start, int? steps, Func<int, Tensor<float>> noise, Func<Tensor<float>, long, Task<Tensor<float>>> predict)
    {
        var count = steps ?? _config.SamplingTimesteps ?? _config.Timesteps;
        if (count > _config.Timesteps) throw new OptionsException(ErrorCodes.OptionRange, "The diffusion has fewer steps.") { Where = "steps", Expected = $"1..{_config.Timesteps}", Found = $"{count}" };
        var x = start;
        if (count == _config.Timesteps)
        {
            for (var (t, draw) = (count - 1, 0); t >= 0; t--, draw++) x = Ancestral(x, t, await predict(x, t).ConfigureAwait(false), t > 0 ? noise(draw) : null);
            return x;
        }

        var times = Times(count);
        for (var i = 0; i < count; i++) x = Implicit(x, times[i], times[i + 1], await predict(x, times[i]).ConfigureAwait(false), times[i + 1] >= 0 ? noise(i) : null);
        return x;
    }

    private Tensor<float> Ancestral(Tensor<float> x, int t, Tensor<float> predicted, Tensor<float>? noise)
    {
        var (bar, before, beta) = (_alphaBars[t], t == 0 ? 1 : _alphaBars[t - 1], _betas[t]);
        var (clean, noisy) = ((float)(beta * Math.Sqrt(before) / (1 - bar)), (float)((1 - before) * Math.Sqrt(1 - beta) / (1 - bar)));
        var deviation = MathF.Exp(0.5f * (float)Math.Log(Math.Max(beta * (1 - before) / (1 - bar), 1e-20)));
        return Map(x, predicted, noise, t, (state, estimate, _, draw) => clean * estimate + noisy * state + (noise is null ? 0 : deviation * draw));
    }

    private Tensor<float> Implicit(Tensor<float> x, int t, int next, Tensor<float> predicted, Tensor<float>? noise)
    {
        if (next < 0) return Map(x, predicted, null, t, (_, estimate, _, _) => estimate);
        var (alpha, after) = ((float)_alphaBars[t], (float)_alphaBars[next]);
        var sigma = (float)_config.DdimSamplingEta * MathF.Sqrt((1 - alpha / after) * (1 - after) / (1 - alpha));
        var (root, direction) = (MathF.Sqrt(after), MathF.Sqrt(1 - after - sigma * sigma));
        return Map(x, predicted, noise, t, (_, estimate, epsilon, draw) => estimate * root + direction * epsilon + sigma * draw);
    }

    // The function sees state, clamped estimate of the clean mels, predicted noise, draw.
    private Tensor<float> Map(Tensor<float> x, Tensor<float> predicted, Tensor<float>? noise, int t, Func<float, float, float, float, float> function)
    {
        var (first, second) = ((float)Math.Sqrt(1 / _alphaBars[t]), (float)Math.Sqrt(1 / _alphaBars[t] - 1));
        var (low, high) = ((float)_config.ClampRange[0], (float)_config.ClampRange[1]);
        var result = Tensor.Zeros<float>(x.Shape);
        for (var i = 0; i < result.Length; i++)
        {
            var (state, output) = (x.Span[i], predicted.Span[i]);
            var (clean, epsilon) = _config.Objective == "pred_x0" ? (output, (first * state - output) / second) : (first * state - second * output, output);
            result.Span[i] = function(state, Math.Clamp(clean, low, high), epsilon, noise is null ? 0 : noise.Span[i]);
        }

        return result;
    }

    // -1 to the last step in equal parts, downwards, in single precision as the reference.
    private int[] Times(int count)
    {
        var step = (float)_config.Timesteps / count;
        var times = new int[count + 1];
        for (var i = 0; i <= count; i++) times[count - i] = (int)(i < (count + 1) / 2 ? -1 + step * i : _config.Timesteps - 1 - step * (count - i));
        return times;
    }

    private static double[] Betas(int count, VaeGslmSchedule schedule)
    {
        double Line(double start, double end, int i) => count == 1 ? start : start + (end - start) * i / (count - 1);
        double Bar(int i) => Math.Pow(Math.Cos(((double)i / count + schedule.S) / (1 + schedule.S) * Math.PI / 2), 2);
        return [.. Enumerable.Range(0, count).Select(i => schedule.Identifier switch
        {
            "linear" => Line(0.1 / count, 20.0 / count, i),
            "scaled_linear" => Math.Pow(Line(Math.Sqrt(schedule.BetaStart), Math.Sqrt(schedule.BetaEnd), i), 2),
            _ => Math.Clamp(1 - Bar(i + 1) / Bar(i), 0, 0.999),
        })];
    }
}
