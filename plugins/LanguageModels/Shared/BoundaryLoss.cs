using ModelZoo.Networks.Numerics;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What boundary predictors are taught (arXiv:2211.09761, section 4).</summary>
internal static class BoundaryLoss
{
    /// <summary>Logarithm of the probability of <paramref name="count"/> boundaries among <paramref name="places"/>, each with probability <paramref name="prior"/>.</summary>
    public static double LogBinomial(int count, int places, double prior) =>
        SpecialFunctions.LogGamma(places + 1) - SpecialFunctions.LogGamma(count + 1) - SpecialFunctions.LogGamma(places - count + 1) + count * Math.Log(prior) + (places - count) * Math.Log(1 - prior);

    /// <summary>Mean binary cross entropy of boundaries. As published, probabilities stand where the formula has logits.</summary>
    public static double CrossEntropy(ReadOnlySpan<float> probabilities, ReadOnlySpan<bool> boundaries)
    {
        var sum = 0.0;
        for (var i = 0; i < boundaries.Length; i++)
        {
            double logit = probabilities[i];
            sum += Math.Max(logit, 0) - (boundaries[i] ? logit : 0) + Math.Log(1 + Math.Exp(-Math.Abs(logit)));
        }

        return sum / boundaries.Length;
    }
}
