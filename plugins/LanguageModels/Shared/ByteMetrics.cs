using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What is measured of a model of bytes, over all bytes of a corpus together.</summary>
internal static class ByteMetrics
{
    /// <summary>Name of an observation's bits of each byte, or of each token, float64.</summary>
    public const string Bits = "bits";

    /// <summary>Name of an observation's number of bytes, int64, where bits are those of tokens.</summary>
    public const string Bytes = "bytes";

    /// <summary>Name of an observation's marks of bytes that the model keeps, int64: 0 for one that it deletes.</summary>
    public const string Kept = "kept";

    /// <summary>Name of an observation's marks of bytes whose most probable value is right, int64: 1 for each such.</summary>
    public const string Right = "right";

    /// <summary>Information of the corpus under the model over its bytes.</summary>
    public static IMetric BitsPerByte { get; } = new Ratio("bits-per-byte", "bit", false, "Minus the binary logarithm of the probability of the corpus' raw UTF-8 under the model, over its bytes.",
        static values => values.GetValueOrDefault(Bits) is Tensor<double> bits ? (bits.Span.ToArray().Sum(), values.GetValueOrDefault(Bytes) is Tensor<long> bytes ? bytes.Span[0] : bits.Length) : null);

    /// <summary>Bytes of the pieces that the model makes.</summary>
    public static IMetric BytesPerPiece { get; } = new Ratio("bytes-per-piece", "B", null, "Bytes of the corpus over the pieces (patches, chunks, words) that the model makes of them.",
        static values => values.GetValueOrDefault(Tokens.PieceLengths) is Tensor<long> lengths ? (lengths.Span.ToArray().Sum(), lengths.Length) : null);

    /// <summary>Pieces that a text takes; of the same texts in several languages, how fairly they are divided.</summary>
    public static IMetric PiecesPerText { get; } = new MeanMetric("pieces-per-text", "", null, "Mean number of pieces (segments, patches, words) that the model makes of a text (MAGNET, section 4).",
        static observation => (observation.Output as NamedTensors)?.Values.GetValueOrDefault(Tokens.PieceLengths)?.Length);

    /// <summary>Bytes that the model deletes.</summary>
    public static IMetric DeletionRate { get; } = new Ratio("deletion-rate", "", null, "Share of the corpus' bytes that the model deletes (MrT5, section 4).",
        static values => values.GetValueOrDefault(Kept) is Tensor<long> kept ? (kept.Span.Count(0L), kept.Length) : null);

    /// <summary>Bytes that are foreseen.</summary>
    public static IMetric ByteAccuracy { get; } = new Ratio("byte-accuracy", "", true, "Share of the bytes to be written that are the most probable ones, given those before them.",
        static values => values.GetValueOrDefault(Right) is Tensor<long> right ? (right.Span.Count(1L), right.Length) : null);

    /// <summary>The names, for <see cref="IEvaluate.DefaultMetrics"/>.</summary>
    public static IReadOnlyList<string> Names { get; } = [BitsPerByte.Name, BytesPerPiece.Name];

    // A sum over a sum, of all observations together.
    private sealed record Ratio(string Name, string Unit, bool? HigherIsBetter, string Description, Func<IReadOnlyDictionary<string, Tensor>, (double Amount, long Count)?> Measure) : IMetric
    {
        public IMetricAccumulator Start() => new Accumulator(Measure);

        private sealed class Accumulator(Func<IReadOnlyDictionary<string, Tensor>, (double Amount, long Count)?> measure) : IMetricAccumulator
        {
            private double _amount;
            private long _count;
            private int _taken, _leftOut;

            public void Add(Observation observation)
            {
                if (observation.Output is not NamedTensors output || measure(output.Values) is not { Count: > 0 } part)
                {
                    _leftOut++;
                    return;
                }

                (_amount, _count, _taken) = (_amount + part.Amount, _count + part.Count, _taken + 1);
            }

            public MetricValue? Result() => _count == 0 ? null : new(_amount / _count, _taken, null) { LeftOut = _leftOut };
        }
    }
}
