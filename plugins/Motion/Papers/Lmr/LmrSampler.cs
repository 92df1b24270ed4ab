namespace ModelZoo.Plugins.Motion;

/// <summary>One run of LMR's decoding, over a batch.</summary>
/// <param name="Vocabulary">Number of ids before the end; padding follows the end.</param>
/// <param name="Semantics">Tokens of the thought.</param>
/// <param name="MinMotion">Tokens of the motion before its end is allowed.</param>
/// <param name="TopP">Share of the probability that is drawn from; null for all.</param>
/// <param name="SemanticTemperature">Temperature of the thought; null leaves its scores.</param>
/// <param name="MotionTemperature">Temperature of the motion; null leaves its scores.</param>
/// <param name="Draws">Draws; null takes the likeliest ids.</param>
internal sealed record LmrSampling(int Vocabulary, int Semantics, int MinMotion, double? TopP, double? SemanticTemperature, double? MotionTemperature, Draws? Draws);

/// <summary>A sequence in the making: a thought, padded to its span after its end, then the motion.</summary>
internal sealed class LmrRow(LmrSampling run)
{
    private readonly List<long> _ids = [];

    /// <summary>Tokens so far.</summary>
    public IReadOnlyList<long> Ids => _ids;

    /// <summary>Tokens of the thought before its end; null while it has none.</summary>
    public int? Thought { get; private set; }

    /// <summary>True when the motion has ended.</summary>
    public bool Finished { get; private set; }

    /// <summary>Chooses from scores (ids) and appends what follows from it.</summary>
    public void Append(Span<float> logits, ReadOnlySpan<float> uniform)
    {
        var (end, thinking) = (run.Vocabulary, _ids.Count < run.Semantics);
        if ((thinking ? run.SemanticTemperature : run.MotionTemperature) is { } temperature) System.Numerics.Tensors.TensorPrimitives.Divide(logits, (float)temperature, logits);
        if (!thinking && _ids.Count - run.Semantics < run.MinMotion) logits[end] = float.NegativeInfinity;
        if (run.TopP is { } share) Filter(logits, share);
        var id = Draws.Choose(logits, uniform);
        if (Finished || (thinking && Thought is not null))
        {
            _ids.Add(end + 1);
            return;
        }

        if (id == end && thinking) Thought = _ids.Count;
        Finished = id == end && !thinking;
        _ids.Add(id);
    }

    // The likeliest ids until their probabilities exceed the share, the one that does so among them.
    private static void Filter(Span<float> logits, double share)
    {
        var values = logits.ToArray();
        var max = values.Max();
        var total = values.Sum(logit => MathF.Exp(logit - max));
        var (cumulative, drop) = (0f, false);
        foreach (var id in Enumerable.Range(0, values.Length).OrderByDescending(id => values[id]))
        {
            if (drop) logits[id] = float.NegativeInfinity;
            cumulative += MathF.Exp(values[id] - max) / total;
            drop = drop || cumulative > share;
        }
    }
}
