using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Motion;

/// <summary>Transitions of a token: keep with Alpha + Beta, go to each other code with Beta, to [MASK] with Gamma; [MASK] stays.</summary>
/// <param name="Alpha">Share that keeps its value.</param>
/// <param name="Beta">Share of each code.</param>
/// <param name="Gamma">Share that is masked.</param>
internal readonly record struct MaskAndReplace(double Alpha, double Beta, double Gamma)
{
    /// <summary>From one state to another; the codes are 0.., [MASK] is <paramref name="mask"/>.</summary>
    public double this[long from, long to, long mask] => from == mask ? to == mask ? 1 : 0 : to == mask ? Gamma : from == to ? Alpha + Beta : Beta;

    /// <summary>All of them: rows from, columns to.</summary>
    public Tensor<float> Matrix(int codes)
    {
        var matrix = Tensor.Zeros<float>(codes + 1, codes + 1);
        for (var from = 0; from <= codes; from++)
        {
            for (var to = 0; to <= codes; to++) matrix[from, to] = (float)this[from, to, codes];
        }

        return matrix;
    }
}

/// <summary>Mask-and-replace diffusion (Gu et al., VQ-Diffusion, arXiv:2111.14822) whose schedule keeps important tokens longest; sections 2 and 5 of the specification. One motion's tokens.</summary>
/// <param name="config">Codes, share of masking, strength of the priority.</param>
/// <param name="steps">Steps of the diffusion.</param>
/// <param name="importance">Importance of each token, above 0.</param>
internal sealed class PriorityDiffusion(M2dmConfig config, int steps, double[] importance)
{
    private readonly double _mean = importance.Average();

    /// <summary>From the start to step t.</summary>
    public MaskAndReplace Cumulative(int token, int t)
    {
        // 1 - mean w / w: above 0 for important tokens, 0 when all are equal.
        var priority = 1 - _mean / importance[token];
        var kept = Math.Clamp(1 - (double)t / steps + config.Lambda * Math.Sin(Math.PI * t / steps) * priority, 0, 1);
        var masked = t == steps ? 1 : config.GammaShare;
        return new(kept, (1 - kept) * (1 - masked) / config.Codes, (1 - kept) * masked);
    }

    /// <summary>From step t - 1 to t, so that the product of all steps is the cumulative form.</summary>
    public MaskAndReplace Step(int token, int t)
    {
        var (now, before) = (Cumulative(token, t), Cumulative(token, t - 1));
        var alpha = before.Alpha == 0 ? 0 : now.Alpha / before.Alpha;
        var gamma = before.Gamma == 1 ? 1 : 1 - (1 - now.Gamma) / (1 - before.Gamma);
        return new(alpha, (1 - alpha - gamma) / config.Codes, gamma);
    }

    /// <summary>p(x_{t-1} | x_t) of each token, codes first, then [MASK]. logits of x_0 (N, K).</summary>
    public double[][] Posterior(Tensor<float> logits, long[] x, int t)
    {
        var mask = (long)config.Codes;
        return [.. x.Select((current, token) =>
        {
            var (step, now, before) = (Step(token, t), Cumulative(token, t), Cumulative(token, t - 1));
            // p0(k) / Qbar_t[k -> x_t]; codes that cannot have led here are left out.
            var weights = LogitProcessing.Probabilities(logits.Slice(token).Span);
            for (var k = 0; k < weights.Length; k++) weights[k] = now[k, current, mask] is > 0 and var reach ? weights[k] / reach : 0;
            var sum = weights.Sum();
            // The sum over k of weight(k) Qbar_{t-1}[k -> a], in closed form.
            var result = new double[config.Codes + 1];
            for (var a = 0; a < config.Codes; a++) result[a] = step[a, current, mask] * (before.Beta * sum + before.Alpha * weights[a]);
            result[mask] = step[mask, current, mask] * before.Gamma * sum;
            var total = result.Sum();
            return Array.ConvertAll(result, p => p / total);
        })];
    }

    /// <summary>The first state of each token whose cumulative probability exceeds the uniform number.</summary>
    public long[] Draw(double[][] probabilities, ReadOnlySpan<float> uniforms)
    {
        var drawn = new long[probabilities.Length];
        for (var token = 0; token < drawn.Length; token++) drawn[token] = Categorical.Draw(probabilities[token], uniforms[token]);
        return drawn;
    }
}
