namespace ModelZoo.Networks.Sampling;

/// <summary>Draws from a distribution over ids.</summary>
public static class Categorical
{
    /// <summary>The first id whose cumulative probability exceeds a uniform number, and its probability.</summary>
    public static (int Id, float Probability) Draw(ReadOnlySpan<float> logits, float temperature, double uniform)
    {
        var max = float.NegativeInfinity;
        foreach (var logit in logits) max = Math.Max(max, logit / temperature);
        var total = 0.0;
        foreach (var logit in logits) total += Math.Exp(logit / temperature - max);
        var (cumulative, last) = (0.0, 0);
        for (var id = 0; id < logits.Length; id++)
        {
            var probability = Math.Exp(logits[id] / temperature - max) / total;
            if (probability == 0) continue;
            cumulative += probability;
            last = id;
            if (cumulative > uniform) return (id, (float)probability);
        }

        // Rounding can leave the sum below a uniform number near one.
        return (last, (float)(Math.Exp(logits[last] / temperature - max) / total));
    }

    /// <summary>The first id whose cumulative probability exceeds a uniform number; probabilities need not sum to one.</summary>
    public static int Draw(ReadOnlySpan<double> probabilities, double uniform)
    {
        var total = 0.0;
        foreach (var p in probabilities) total += p;
        var (cumulative, last) = (0.0, 0);
        for (var id = 0; id < probabilities.Length; id++)
        {
            if (probabilities[id] <= 0) continue;
            cumulative += probabilities[id] / total;
            last = id;
            if (cumulative > uniform) return id;
        }

        return last;
    }
}
