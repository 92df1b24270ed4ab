using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Options of measuring texts under a model of bytes.</summary>
public record ByteEvaluationOptions : ModelOptions
{
    /// <summary>Bytes that are measured in one run.</summary>
    [Description("Bytes of a stretch: longer texts are cut, and each stretch begins anew."), Range(1, 1 << 20)]
    public int Context { get; init; } = 2048;
}

/// <summary>What a model says of a stretch of bytes.</summary>
/// <param name="Bits">Minus the binary logarithm of each byte's probability, given those before it.</param>
/// <param name="PieceLengths">Bytes of each piece that the model makes; null where it makes none.</param>
internal sealed record MeasuredBytes(double[] Bits, IReadOnlyList<int>? PieceLengths = null);

/// <summary>Texts measured in bits, over their raw UTF-8.</summary>
internal static class ByteEvaluation
{
    /// <summary>An observation a text.</summary>
    /// <param name="examples">The texts.</param>
    /// <param name="context">Bytes of a stretch.</param>
    /// <param name="measure">Measures a stretch of one byte or more.</param>
    /// <param name="cancel">Stops between stretches.</param>
    public static async IAsyncEnumerable<Observation> ObserveAsync(
        IAsyncEnumerable<Example> examples, int context, Func<byte[], CancellationToken, Task<MeasuredBytes>> measure, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var (bits, lengths) = (new List<double>(), new List<long>());
            foreach (var stretch in Encoding.UTF8.GetBytes(example.Media.Expect<Text>().Value).Chunk(context))
            {
                var measured = await measure(stretch, cancel).ConfigureAwait(false);
                bits.AddRange(measured.Bits);
                lengths.AddRange((measured.PieceLengths ?? []).Select(length => (long)length));
            }

            yield return Observe(example, bits, lengths);
        }
    }

    /// <summary>What was measured of a text.</summary>
    /// <param name="example">The text.</param>
    /// <param name="bits">Bits of each byte.</param>
    /// <param name="lengths">Bytes of each piece; none where the model makes none.</param>
    public static Observation Observe(Example example, List<double> bits, List<long> lengths)
    {
        var output = new Dictionary<string, Tensor> { [ByteMetrics.Bits] = Tensor.Create(bits.ToArray(), bits.Count) };
        if (lengths.Count > 0) output[Tokens.PieceLengths] = Tensor.Create(lengths.ToArray(), lengths.Count);
        return new(example.Id, example.Media, new NamedTensors(output)) { Label = example.Label };
    }

    /// <summary>The label that counts for nothing in a reference's loss.</summary>
    public const long Ignored = -100;

    /// <summary>Mean information of the labels that count, in nats, as references compute their loss. logits (B, N, V), labels (B, N).</summary>
    public static double Loss(Tensor<float> logits, Tensor<long> labels)
    {
        var bits = Bits(logits, [.. labels.Span.ToArray().Select(label => (int)Math.Max(label, 0))]);
        return bits.Where((_, i) => labels.Span[i] != Ignored).Average() * Math.Log(2);
    }

    /// <summary>Minus the binary logarithm of each target's probability. logits (.., V) in rows, one for each target.</summary>
    /// <param name="logits">Rows of logits.</param>
    /// <param name="targets">What came, an id a row; rows beyond are not looked at.</param>
    public static double[] Bits(Tensor<float> logits, ReadOnlySpan<int> targets)
    {
        var (width, result) = ((int)logits.Shape[^1], new double[targets.Length]);
        for (var i = 0; i < result.Length; i++)
        {
            var row = logits.Span.Slice(i * width, width);
            var (max, sum) = (double.NegativeInfinity, 0.0);
            foreach (var logit in row) max = Math.Max(max, logit);
            foreach (var logit in row) sum += Math.Exp(logit - max);
            result[i] = (Math.Log(sum) + max - row[targets[i]]) / Math.Log(2);
        }

        return result;
    }
}
