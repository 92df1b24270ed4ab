namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>A draw from a distribution as PyTorch's <c>multinomial</c> makes it: the id with the largest probability over an exponential number.</summary>
internal static class ExponentialRace
{
    /// <summary>argmax of softmax(logits / temperature) / q, the first of equals.</summary>
    public static int Choose(ReadOnlySpan<float> logits, ReadOnlySpan<float> exponentials, float temperature = 1)
    {
        var max = float.NegativeInfinity;
        foreach (var logit in logits) max = MathF.Max(max, logit / temperature);
        var (best, id) = (-1.0, 0);
        for (var i = 0; i < logits.Length; i++)
        {
            var value = Math.Exp(logits[i] / temperature - max) / exponentials[i];
            if (value > best) (best, id) = (value, i);
        }

        return id;
    }
}
