namespace ModelZoo.Networks.Sampling;

/// <summary>Changes to next-token logits, in place; what is ruled out becomes negative infinity. Conventions of transformers' logits processors.</summary>
public static class LogitProcessing
{
    private const float Out = float.NegativeInfinity;

    /// <summary>Divides by the temperature.</summary>
    public static void Temperature(Span<float> logits, float temperature)
    {
        foreach (ref var logit in logits) logit /= temperature;
    }

    /// <summary>Keeps the k highest, and all that equal the lowest of them.</summary>
    public static void TopK(Span<float> logits, int k)
    {
        if (k >= logits.Length) return;
        var sorted = logits.ToArray();
        Array.Sort(sorted);
        var lowest = sorted[^Math.Max(1, k)];
        foreach (ref var logit in logits)
        {
            if (logit < lowest) logit = Out;
        }
    }

    /// <summary>Keeps the fewest most probable whose probabilities reach p (nucleus sampling, arXiv:1904.09751).</summary>
    public static void TopP(Span<float> logits, float p)
    {
        var (order, probabilities, cumulative) = (Ascending(logits), Probabilities(logits), 0.0);
        for (var i = 0; i < order.Length - 1; i++)
        {
            cumulative += probabilities[order[i]];
            if (cumulative > 1 - (double)p) return;
            logits[order[i]] = Out;
        }
    }

    /// <summary>Keeps those at least as probable as a share of the most probable (arXiv:2407.01082).</summary>
    public static void MinP(Span<float> logits, float share)
    {
        var probabilities = Probabilities(logits);
        var limit = share * probabilities.Max();
        for (var i = 0; i < logits.Length; i++)
        {
            if (probabilities[i] < limit) logits[i] = Out;
        }
    }

    /// <summary>Keeps those whose information is nearest to the entropy, until their probabilities reach a mass (arXiv:2202.00666).</summary>
    public static void Typical(Span<float> logits, float mass)
    {
        var probabilities = Probabilities(logits);
        var entropy = -probabilities.Where(p => p > 0).Sum(p => p * Math.Log(p));
        var order = Enumerable.Range(0, logits.Length).OrderBy(i => probabilities[i] > 0 ? Math.Abs(-Math.Log(probabilities[i]) - entropy) : double.PositiveInfinity).ToArray();
        var (cumulative, kept) = (0.0, 0);
        while (kept < order.Length && (kept == 0 || cumulative < mass)) cumulative += probabilities[order[kept++]];
        foreach (var i in order.AsSpan(kept)) logits[i] = Out;
    }

    /// <summary>Divides positive and multiplies negative logits of tokens that have occurred (arXiv:1909.05858).</summary>
    public static void RepetitionPenalty(Span<float> logits, ReadOnlySpan<int> history, float penalty)
    {
        foreach (var id in Distinct(history)) logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
    }

    /// <summary>Subtracts a constant for tokens that have occurred, and another for each time.</summary>
    public static void PresenceAndFrequency(Span<float> logits, ReadOnlySpan<int> history, float presence, float frequency)
    {
        foreach (var id in Distinct(history)) logits[id] -= presence;
        foreach (var id in history) logits[id] -= frequency;
    }

    /// <summary>Rules out every token that would repeat an n-gram.</summary>
    public static void NoRepeatNGram(Span<float> logits, ReadOnlySpan<int> history, int n)
    {
        if (history.Length + 1 < n) return;
        var prefix = history[(history.Length - n + 1)..];
        for (var i = 0; i + n <= history.Length; i++)
        {
            if (history.Slice(i, n - 1).SequenceEqual(prefix)) logits[history[i + n - 1]] = Out;
        }
    }

    /// <summary>Keeps the allowed ids only.</summary>
    public static void Constrain(Span<float> logits, IReadOnlyCollection<int> allowed)
    {
        for (var i = 0; i < logits.Length; i++)
        {
            if (!allowed.Contains(i)) logits[i] = Out;
        }
    }

    /// <summary>log softmax, in place.</summary>
    public static void LogSoftmax(Span<float> logits)
    {
        var (max, sum) = (float.NegativeInfinity, 0.0);
        foreach (var logit in logits) max = Math.Max(max, logit);
        foreach (var logit in logits) sum += Math.Exp(logit - max);
        var norm = (float)(max + Math.Log(sum));
        foreach (ref var logit in logits) logit -= norm;
    }

    /// <summary>softmax in double precision.</summary>
    public static double[] Probabilities(ReadOnlySpan<float> logits)
    {
        var (max, sum, result) = (double.NegativeInfinity, 0.0, new double[logits.Length]);
        foreach (var logit in logits) max = Math.Max(max, logit);
        for (var i = 0; i < result.Length; i++) sum += result[i] = Math.Exp(logits[i] - max);
        for (var i = 0; i < result.Length; i++) result[i] /= sum;
        return result;
    }

    /// <summary>The first highest.</summary>
    public static int ArgMax(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best]) best = i;
        }

        return best;
    }

    private static int[] Ascending(ReadOnlySpan<float> logits)
    {
        var (keys, order) = (logits.ToArray(), new int[logits.Length]);
        for (var i = 0; i < order.Length; i++) order[i] = i;
        return [.. order.OrderBy(i => keys[i])];
    }

    private static HashSet<int> Distinct(ReadOnlySpan<int> ids) => [.. ids];
}
