using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What ends the recurrences of a token before their number is reached.</summary>
public enum HuginnCriterion
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>The entropy of the next token's distribution changes by less than the threshold, in nats.</summary>
    EntropyDiff,
    /// <summary>The state changes by less than this part of its length.</summary>
    LatentDiff,
    /// <summary>The state turns by less than this: one minus a cosine.</summary>
    Cosine,
    /// <summary>The distribution diverges from the one before by less than this, in nats (Kullback and Leibler).</summary>
    Kl,
    /// <summary>The same, tokens below a tenth of the most probable one being alike.</summary>
    MinpKl,
    /// <summary>The most probable token stayed the same so many times.</summary>
    ArgmaxStability,
}

/// <summary>Looks at one recurrence of a sequence after the other, and says when it is enough. The authors' <c>PerIterationExitEvaluator</c>s.</summary>
/// <param name="criterion">What is looked at.</param>
/// <param name="threshold">The bound; null is the authors' own for the criterion.</param>
internal sealed class HuginnExit(HuginnCriterion criterion, double? threshold)
{
    // The share of the most probable token below which the filtered distribution knows no difference.
    private const float MinShare = 0.1f;

    private readonly double _threshold = threshold ?? criterion switch
    {
        HuginnCriterion.EntropyDiff or HuginnCriterion.Cosine or HuginnCriterion.Kl => 1e-3,
        HuginnCriterion.LatentDiff => 0.03,
        HuginnCriterion.MinpKl => 1e-5,
        _ => 5,
    };

    private float[] _before = [];
    private double _entropy = 100;
    private int _mostProbable = -1, _times;

    /// <summary>Whether there is anything to look at.</summary>
    public bool IsActive => criterion != HuginnCriterion.None;

    /// <summary>Whether it looks at logits, and not at states.</summary>
    public bool NeedsLogits => criterion is not (HuginnCriterion.None or HuginnCriterion.LatentDiff or HuginnCriterion.Cosine);

    /// <summary>Begins with the first state (1, N, D) of a step.</summary>
    public void Begin(Tensor<float> state, int vocabulary)
    {
        (_entropy, _mostProbable, _times) = (100, -1, 0);
        _before = NeedsLogits ? [] : state.Span.ToArray();
        if (criterion is not (HuginnCriterion.Kl or HuginnCriterion.MinpKl)) return;
        _before = new float[vocabulary];
        Array.Fill(_before, MathF.Log(1f / vocabulary));
    }

    /// <summary>Takes the next state (1, N, D), or the last position's logits; true when it is enough.</summary>
    public bool Take(Tensor<float> state, ReadOnlySpan<float> logits) => criterion switch
    {
        HuginnCriterion.EntropyDiff => Entropy(logits) < _threshold,
        HuginnCriterion.LatentDiff => OverPositions(state, static (now, before) => Distance(now, before) / TensorPrimitives.Norm(now)) < _threshold,
        HuginnCriterion.Cosine => 1 - OverPositions(state, static (now, before) => TensorPrimitives.Dot(now, before) / TensorPrimitives.Norm(now) / TensorPrimitives.Norm(before)) < _threshold,
        HuginnCriterion.Kl => Divergence(LogProbabilities(logits)) < _threshold,
        HuginnCriterion.MinpKl => Divergence(Filtered(LogProbabilities(logits))) < _threshold,
        HuginnCriterion.ArgmaxStability => Times(LogitProcessing.ArgMax(logits)) >= _threshold,
        _ => false,
    };

    private delegate float Measure(ReadOnlySpan<float> now, ReadOnlySpan<float> before);

    private double OverPositions(Tensor<float> state, Measure measure)
    {
        var (count, width, sum) = ((int)state.Shape[1], (int)state.Shape[2], 0.0);
        for (var i = 0; i < count; i++) sum += measure(state.Span.Slice(i * width, width), _before.AsSpan(i * width, width));
        _before = state.Span.ToArray();
        return sum / count;
    }

    private static float Distance(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => TensorPrimitives.Distance(a, b);

    // |H - H before|, H = -sum p ln(p + 1e-10).
    private double Entropy(ReadOnlySpan<float> logits)
    {
        var (entropy, before) = (0.0, _entropy);
        foreach (var log in LogProbabilities(logits))
        {
            var p = MathF.Exp(log);
            entropy -= p * MathF.Log(p + 1e-10f);
        }

        _entropy = entropy;
        return Math.Abs(entropy - before);
    }

    // sum p (ln p - ln q), p being what came before.
    private double Divergence(float[] log)
    {
        var sum = 0.0;
        for (var i = 0; i < log.Length; i++) sum += MathF.Exp(_before[i]) * (_before[i] - log[i]);
        _before = log;
        return sum;
    }

    private int Times(int mostProbable)
    {
        _times = mostProbable == _mostProbable ? _times + 1 : 0;
        _mostProbable = mostProbable;
        return _times;
    }

    private static float[] LogProbabilities(ReadOnlySpan<float> logits)
    {
        var (log, largest, sum) = (logits.ToArray(), TensorPrimitives.Max(logits), 0.0);
        foreach (var logit in logits) sum += Math.Exp(logit - largest);
        TensorPrimitives.Subtract(log, (float)(Math.Log(sum) + largest), log);
        return log;
    }

    private static float[] Filtered(float[] log)
    {
        var p = Array.ConvertAll(log, MathF.Exp);
        var (least, rest, sum) = (MinShare * TensorPrimitives.Max<float>(p), 1f / p.Length, 0.0);
        for (var i = 0; i < p.Length; i++) sum += p[i] = p[i] < least ? rest : p[i];
        for (var i = 0; i < p.Length; i++) p[i] = MathF.Log((float)(p[i] / sum));
        return p;
    }
}
