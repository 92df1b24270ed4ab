// MUSE's decoding as bytedance/1d-tokenizer writes it: MaskGIT (arXiv:2202.04200) with Gumbel noise on logits, and on the chosen logits as confidences.
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>All masked positions are filled at each step; the least confident are masked again. Numbers are float32 in the order of the authors' operations.</summary>
/// <param name="Samples">Samples side by side.</param>
/// <param name="Positions">Tokens of a sample.</param>
/// <param name="Vocabulary">Number of codes; the id after them is the mask.</param>
internal sealed record GumbelMaskSampler(int Samples, int Positions, int Vocabulary)
{
    /// <summary>Number of steps.</summary>
    public required int Steps { get; init; }
    /// <summary>Weight of the noise at the start; it falls to zero.</summary>
    public required double RandomizeTemperature { get; init; }
    /// <summary>Divides the logits, given the share of steps done and the weight of the noise.</summary>
    public required Func<double, double, double> SoftmaxTemperature { get; init; }
    /// <summary>Positions that stay masked, given the share of steps done.</summary>
    public required Func<double, int> Masked { get; init; }
    /// <summary>Whether confidences are disturbed too.</summary>
    public bool NoisyConfidence { get; init; } = true;

    /// <summary>Runs; gives the ids (samples, positions) after each step.</summary>
    /// <param name="logits">Step and ids (samples, positions) to the guided logits (samples, positions, vocabulary).</param>
    /// <param name="tokenDraws">Uniform numbers, one for each sample, position and id.</param>
    /// <param name="confidenceDraws">Uniform numbers, one for each sample and position.</param>
    public async IAsyncEnumerable<Tensor<long>> RunAsync(
        Func<int, Tensor<long>, Task<Tensor<float>>> logits, Draw tokenDraws, Draw confidenceDraws, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var ids = Tensor.Create(Enumerable.Repeat((long)Vocabulary, Samples * Positions).ToArray(), Samples, Positions);
        var (noise, confidenceNoise) = (new float[ids.Length * Vocabulary], new float[ids.Length]);
        for (var step = 0; step < Steps; step++)
        {
            cancel.ThrowIfCancellationRequested();
            var scores = await logits(step, ids).ConfigureAwait(false);
            tokenDraws(step, noise);
            if (NoisyConfidence) confidenceDraws(step, confidenceNoise);
            ids = Fill(step, ids, scores.Span, noise, confidenceNoise);
            yield return ids;
        }
    }

    private Tensor<long> Fill(int step, Tensor<long> ids, ReadOnlySpan<float> scores, float[] noise, float[] confidenceNoise)
    {
        var share = (step + 1.0) / Steps;
        var temperature = RandomizeTemperature * (1 - share);
        var divisor = (float)SoftmaxTemperature(share, temperature);
        var filled = Tensor.Create(ids.Span.ToArray(), ids.Shape);
        var confidences = new float[ids.Length];
        for (var i = 0; i < ids.Length; i++)
        {
            if (ids.Span[i] != Vocabulary)
            {
                confidences[i] = float.PositiveInfinity;
                continue;
            }

            (filled.Span[i], var score) = Choose(scores.Slice(i * Vocabulary, Vocabulary), noise.AsSpan(i * Vocabulary, Vocabulary), divisor, (float)temperature);
            confidences[i] = NoisyConfidence ? score + (float)temperature * Draws.Gumbel(confidenceNoise[i]) : score;
        }

        // The authors count the masks of the first sample for all.
        var count = Math.Max(1, Math.Min(ids.Span[..Positions].Count(Vocabulary) - 1, Masked(share)));
        if (step == Steps - 1) return filled;
        for (var sample = 0; sample < Samples; sample++)
        {
            var row = confidences.AsSpan(sample * Positions, Positions);
            var sorted = row.ToArray();
            Array.Sort(sorted);
            for (var i = 0; i < Positions; i++)
            {
                if (row[i] <= sorted[count - 1]) filled.Span[sample * Positions + i] = Vocabulary;
            }
        }

        return filled;
    }

    private static (int Id, float Score) Choose(ReadOnlySpan<float> logits, ReadOnlySpan<float> uniform, float divisor, float temperature)
    {
        var (best, id, score) = (float.NegativeInfinity, 0, logits[0] / divisor);
        for (var i = 0; i < logits.Length; i++)
        {
            var own = logits[i] / divisor;
            var value = own + temperature * Draws.Gumbel(uniform[i]);
            if (value > best) (best, id, score) = (value, i, own);
        }

        return (id, score);
    }
}
