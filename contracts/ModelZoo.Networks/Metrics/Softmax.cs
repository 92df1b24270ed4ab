namespace ModelZoo.Networks.Metrics;

/// <summary>Class probabilities from logits, in double precision.</summary>
internal static class Softmax
{
    public static double[] Of(ReadOnlySpan<float> logits)
    {
        var log = Log(logits);
        return Array.ConvertAll(log, Math.Exp);
    }

    public static double[] Log(ReadOnlySpan<float> logits)
    {
        var max = double.NegativeInfinity;
        foreach (var x in logits) max = Math.Max(max, x);
        var sum = 0.0;
        foreach (var x in logits) sum += Math.Exp(x - max);
        var result = new double[logits.Length];
        for (var i = 0; i < result.Length; i++) result[i] = logits[i] - max - Math.Log(sum);
        return result;
    }
}
