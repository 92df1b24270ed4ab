using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>One run of the sampler, over a batch.</summary>
internal sealed record MaskedSampling
{
    /// <summary>Number of codes; the ids of the end, of padding and of the mask follow.</summary>
    public required int Codes { get; init; }
    /// <summary>Ids of a row.</summary>
    public required int Slots { get; init; }
    /// <summary>Tokens of each row; the end stands after them.</summary>
    public required int[] Lengths { get; init; }
    /// <summary>Steps of a motion of 49 tokens; shorter ones take proportionally fewer.</summary>
    public int MaxSteps { get; init; } = 10;
    /// <summary>Ids that stay, and masks to fill; null for masks everywhere.</summary>
    public long[][]? Condition { get; init; }
    /// <summary>True when the number of ids masked again follows the whole length rather than the number of masks in the condition, and kept ids are put back at each step (the authors' <c>inpaint</c>).</summary>
    public bool RestoreCondition { get; init; }
    /// <summary>True when a single motion stops as soon as the schedule has reached its end.</summary>
    public bool StopEarly { get; init; } = true;
    /// <summary>Draws; null takes the likeliest ids.</summary>
    public Draws? Draws { get; init; }

    /// <summary>Id that ends a motion.</summary>
    public int End => Codes;
    /// <summary>Id after the end.</summary>
    public int Pad => Codes + 1;
    /// <summary>Id to be predicted.</summary>
    public int Mask => Codes + 2;

    /// <summary>What is seen: the caption, the tokens and the end. (rows, 1 + slots)</summary>
    public Tensor<long> Keys() => Tensor.Create(Lengths.SelectMany(length => Enumerable.Range(0, Slots + 1).Select(i => i <= length + 1 ? 1L : 0)).ToArray(), Lengths.Length, Slots + 1);
}

/// <summary>A step of the sampler.</summary>
/// <param name="Step">Its number, from 0.</param>
/// <param name="Inputs">Ids that entered the network: (rows, slots).</param>
/// <param name="Outputs">Ids after it.</param>
internal sealed record MaskedStep(int Step, long[][] Inputs, long[][] Outputs);

/// <summary>
/// MMM's iterative decoding: all ids are predicted at once, the least certain are masked again, by a cosine schedule. Numbers are float32 in the order of the authors' operations, since the counts are rounded down.
/// </summary>
internal static class MaskedSampler
{
    private const int LongestMotion = 49;

    /// <summary>Runs; <paramref name="logits"/> takes ids (B, slots) and gives the scores of the codes (B, slots, codes).</summary>
    public static async IAsyncEnumerable<MaskedStep> RunAsync(MaskedSampling run, Func<Tensor<long>, Task<Tensor<float>>> logits)
    {
        var rows = run.Lengths.Select((length, row) => new Row(run, row, length)).ToArray();
        for (var step = 0; step < run.MaxSteps; step++)
        {
            if (rows.Length == 1 && run.StopEarly && step > 0 && rows[0].Stands(step)) yield break;
            foreach (var row in rows) row.Remask(step);
            var inputs = rows.Select(row => row.Ids.ToArray()).ToArray();
            var scores = await logits(inputs.ToTensor()).ConfigureAwait(false);
            var uniform = run.Draws is null ? [] : run.Draws.Next(scores.Length);
            for (var i = 0; i < rows.Length; i++)
            {
                var size = run.Slots * run.Codes;
                rows[i].Fill(scores.Slice(i).Span, uniform.Length == 0 ? [] : uniform.AsSpan(i * size, size));
            }

            yield return new(step, inputs, [.. rows.Select(row => row.Ids.ToArray())]);
        }
    }

    private sealed class Row
    {
        private readonly MaskedSampling _run;
        private readonly int _length, _masks;
        private readonly long[]? _condition;
        private readonly float[] _scores;
        private readonly float _perStep;

        public Row(MaskedSampling run, int row, int length)
        {
            (_run, _length) = (run, length);
            _condition = run.Condition?[row].ToArray();
            Ids = _condition?.ToArray() ?? [.. Enumerable.Repeat((long)run.Mask, run.Slots)];
            for (var i = length; i < run.Slots; i++) Ids[i] = run.Pad;
            _masks = Ids.Count(id => id == run.Mask);
            _scores = [.. Enumerable.Repeat(1f, run.Slots)];
            var steps = MathF.Round((float)(run.MaxSteps / (double)LongestMotion) * length) + 1e-8f;
            _perStep = 1 / steps;
        }

        public long[] Ids { get; }

        // The authors compare clip(step - 1 / steps) with clip(step / steps).
        public bool Stands(int step) => MathF.Min(step - _perStep, 1) == MathF.Min(_perStep * step, 1);

        public void Remask(int step)
        {
            var share = MathF.Cos(MathF.Min(_perStep * step, 1) * MathF.PI * 0.5f);
            var count = Math.Max(1, (int)(share * (_condition is null || _run.RestoreCondition ? _length : _masks)));
            for (var i = 0; i < _scores.Length; i++)
            {
                if (i >= _length || Kept(i)) _scores[i] = 0;
            }

            var sum = _scores.Sum();
            for (var i = 0; i < _scores.Length; i++) _scores[i] /= sum;
            for (var i = _length; i < Ids.Length; i++) Ids[i] = i == _length ? _run.End : _run.Pad;
            foreach (var i in Enumerable.Range(0, _scores.Length).OrderByDescending(i => _scores[i]).Take(count)) Ids[i] = _run.Mask;
            for (var i = 0; _run.RestoreCondition && i < _length; i++)
            {
                if (Kept(i)) Ids[i] = _condition![i];
            }
        }

        public void Fill(ReadOnlySpan<float> logits, ReadOnlySpan<float> uniform)
        {
            for (var i = 0; i < Ids.Length; i++)
            {
                _scores[i] = 0;
                if (Ids[i] != _run.Mask) continue;
                var own = logits.Slice(i * _run.Codes, _run.Codes);
                var id = Draws.Choose(own, uniform.IsEmpty ? [] : uniform.Slice(i * _run.Codes, _run.Codes));
                Ids[i] = id;
                _scores[i] = 1 - Probability(own, id);
            }
        }

        private bool Kept(int i) => _condition is not null && i < _condition.Length && _condition[i] != _run.Mask;

        private static float Probability(ReadOnlySpan<float> logits, int id)
        {
            var max = float.NegativeInfinity;
            foreach (var logit in logits) max = MathF.Max(max, logit);
            var sum = 0f;
            foreach (var logit in logits) sum += MathF.Exp(logit - max);
            return MathF.Exp(logits[id] - max) / sum;
        }
    }
}
