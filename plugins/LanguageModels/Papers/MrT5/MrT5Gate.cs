using System.Globalization;
using ModelZoo.Contracts;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What is left of a batch.</summary>
/// <param name="Positions">Positions that the bytes had before, (B, M).</param>
/// <param name="Keys">0 for bytes, and what masks for the places behind the last of a shorter row, (B, M).</param>
internal sealed record MrT5Kept(Tensor<long> Positions, Tensor<float> Keys);

/// <summary>Which bytes are deleted (section 3.1): a gate between 0, which keeps, and a negative number. Added to scores it hides a byte a little; below a threshold the byte can be taken out.</summary>
internal sealed class MrT5Gate(MrT5Config config)
{
    private const float Hidden = -1e9f;

    // What ends a word, for the comparison that deletes the same share of each.
    private static readonly HashSet<long> Separators = [1, 12, 13, .. Range(35, 50), .. Range(61, 67), .. Range(94, 99), .. Range(126, 129)];

    /// <summary>Gates. logits (B, N, 1) of the network, null for the gate that has none; ids (B, N) -> (B, N, 1).</summary>
    public Tensor<float> Values(Tensor<float>? logits, Tensor<long> ids)
    {
        if (logits is null) return Fixed(ids);
        var values = Tensor.Zeros<float>(logits.Shape);
        for (var i = 0; i < values.Length; i++)
        {
            var x = logits.Span[i];
            if (config.DeletionType == "log_sigmoid") values.Span[i] = Math.Min(x, 0) - float.LogP1(MathF.Exp(-Math.Abs(x)));
            else values.Span[i] = ids.Span[i] == 0 ? (float)config.SigmoidMaskScale : (float)config.SigmoidMaskScale / (1 + MathF.Exp(x));
        }

        return values;
    }

    /// <summary>The bytes whose gate is above a threshold, in order; the first of a row of which none is.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.OptionRange"/>: no byte of any row is.</exception>
    public MrT5Kept Keep(Tensor<float> gates, double threshold)
    {
        var (rows, length) = ((int)gates.Shape[0], (int)gates.Shape[1]);
        var kept = Enumerable.Range(0, rows).Select(row => Enumerable.Range(0, length).Where(at => gates[row, at, 0] > (float)threshold).ToArray()).ToArray();
        var most = kept.Max(row => row.Length);
        if (most == 0) throw new ModelZooException(ErrorCodes.OptionRange, "The model deletes every byte of the text.")
        {
            Where = "threshold",
            Expected = string.Create(CultureInfo.InvariantCulture, $"one below the highest gate, {TensorPrimitives.Max(gates.Span)}"),
            Found = threshold.ToString(CultureInfo.InvariantCulture),
            Remedy = "Give a lower threshold, another text, or keep all bytes with soft=true.",
        };
        var (positions, keys) = (Tensor.Zeros<long>(rows, most), Tensor.Zeros<float>(rows, most));
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < most; i++)
            {
                if (i < kept[row].Length) positions[row, i] = kept[row][i];
                else if (i > 0) keys[row, i] = Hidden;
            }
        }

        return new(positions, keys);
    }

    // The first bytes of each word are kept. As published, words are counted over all rows together and cut alike in each.
    private Tensor<float> Fixed(Tensor<long> ids)
    {
        var (rows, length) = ((int)ids.Shape[0], (int)ids.Shape[1]);
        var counts = new long[length + 1];
        for (var row = 0; row < rows; row++)
        {
            var word = 0;
            for (var at = 0; at < length; at++)
            {
                if (Separators.Contains(ids[row, at])) word++;
                counts[word]++;
            }
        }

        var gates = Tensor.Zeros<float>(rows, length, 1);
        gates.Span.Fill((float)config.SigmoidMaskScale);
        var start = 0L;
        foreach (var count in counts)
        {
            var keep = (long)MathF.Ceiling((float)(1 - config.FixedDeletionAmount) * count);
            for (var row = 0; row < rows; row++)
            {
                for (var at = start; at < Math.Min(start + keep, length); at++) gates[row, (int)at, 0] = 0;
            }

            start += count;
        }

        return gates;
    }

    private static IEnumerable<long> Range(int first, int last) => Enumerable.Range(first, last - first + 1).Select(id => (long)id);
}
