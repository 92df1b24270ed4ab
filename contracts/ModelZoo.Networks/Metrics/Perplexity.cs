using System.Text;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Metrics;

/// <summary>How well a language model predicts; over a corpus: sums of log-likelihoods over sums of counts.</summary>
public static partial class Perplexity
{
    /// <summary>Log-likelihood and number of counted targets of a sequence.</summary>
    /// <param name="logits">(tokens, vocabulary), aligned with the targets.</param>
    /// <param name="ignore">Targets of this id are left out.</param>
    public static (double LogLikelihood, long Tokens) Score(Tensor<float> logits, ReadOnlySpan<long> targets, long? ignore)
    {
        var (sum, count) = (0.0, 0L);
        for (var i = 0; i < targets.Length; i++)
        {
            if (targets[i] == ignore) continue;
            sum += Softmax.Log(logits.Slice(i).Span)[targets[i]];
            count++;
        }

        return (sum, count);
    }

    /// <summary>exp(-log-likelihood / units).</summary>
    public static double Of(double logLikelihood, long units) => Math.Exp(-logLikelihood / units);

    /// <summary>Bits that an ideal coder spends on a byte.</summary>
    public static double BitsPerByte(double logLikelihood, long bytes) => -logLikelihood / bytes / Math.Log(2);

    /// <summary>Bytes of the text in UTF-8.</summary>
    public static long Bytes(string text) => Encoding.UTF8.GetByteCount(text);

    /// <summary>Pieces between runs of white space, empty ones at the ends included, as lm-evaluation-harness counts.</summary>
    public static long Words(string text) => WhiteSpace().Split(text).LongLength;

    [GeneratedRegex(@"[\s\x1c-\x1f]+")]
    private static partial Regex WhiteSpace();
}
