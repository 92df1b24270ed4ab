using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>How ids are chosen from the scores of MoMask's transformers.</summary>
/// <param name="Scale">Guidance; 1 is none.</param>
/// <param name="Temperature">What the scores that are left are divided by.</param>
/// <param name="Threshold">Share of the scores that is left out, the smallest.</param>
/// <param name="Draws">Draws; null takes the likeliest ids.</param>
internal sealed record LayerSampling(float Scale, double Temperature, double Threshold, Draws? Draws)
{
    /// <summary>The options of a reference call.</summary>
    public LayerSampling(CallArguments arguments, float scale)
        : this(arguments.Literal("cond_scale", scale), arguments.Literal("temperature", 1.0), arguments.Literal("topk_filter_thres", 0.9), Draws.Given(arguments.FindTensor<float>("uniform"))) =>
        Unconditional = arguments.Literal("force_mask", false);

    /// <summary>True when the caption is left out altogether.</summary>
    public bool Unconditional { get; init; }

    /// <summary>An id for each place, and its probability among all. logits (B, K, N) -> B N of each.</summary>
    public (long[] Ids, float[] Probabilities) Choose(Tensor<float> logits)
    {
        var (rows, width, slots) = ((int)logits.Shape[0], (int)logits.Shape[1], (int)logits.Shape[2]);
        var uniform = Draws?.Next(rows * slots * width) ?? [];
        var keep = (int)Math.Ceiling((1 - Threshold) * width);
        var temperature = (float)Math.Max(Temperature, 1e-10);
        var (ids, probabilities) = (new long[rows * slots], new float[rows * slots]);
        var own = new float[width];
        for (var place = 0; place < ids.Length; place++)
        {
            var (row, slot) = (place / slots, place % slots);
            for (var k = 0; k < width; k++) own[k] = logits.Span[(row * width + k) * slots + slot];
            var likely = new bool[width];
            foreach (var k in Enumerable.Range(0, width).OrderByDescending(k => own[k]).Take(keep)) likely[k] = true;
            var filtered = own.Select((logit, k) => likely[k] ? logit / temperature : float.NegativeInfinity).ToArray();
            var id = Draws.Choose(filtered, uniform.Length == 0 ? [] : uniform.AsSpan(place * width, width));
            (ids[place], probabilities[place]) = (id, Probability(own, id));
        }

        return (ids, probabilities);
    }

    private static float Probability(float[] logits, int id)
    {
        var max = logits.Max();
        var sum = 0f;
        foreach (var logit in logits) sum += MathF.Exp(logit - max);
        return MathF.Exp(logits[id] - max) / sum;
    }
}
