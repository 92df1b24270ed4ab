// The first step is the hardest: Pitfalls of Representing and Tokenizing Temporal Data for Large Language Models. Spathis, Kawsar. arXiv:2309.06236
// Published layout: tokenizer.json files. Deviations: no public code; the figures state what the paper shows.
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>How consistently a tokenizer splits the numbers of a series.</summary>
internal static class TemporalPitfalls
{
    private const int MostDecimals = 30;

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("temporal-tokenization-pitfalls", "The first step is the hardest: Pitfalls of Representing and Tokenizing Temporal Data for Large Language Models", "2309.06236",
            ["Dimitris Spathis", "Fahim Kawsar"], null) with { Layouts = ["tokenizer.json"], Deviations = "No public code; a case study without formulas." },
        source =>
        {
            var tokenizers = new TokenizerSet(source);
            return new PaperModel(source).Compares(tokenizers, "number-consistency", "tokens-per-number", "bytes-per-token").OnLines("report", line => Report(tokenizers[line.Text("tokenizer")], line));
        });

    /// <summary>A value with that many decimals: the exact binary value rounded half to even, its sign kept.</summary>
    public static string Write(double value, int decimals)
    {
        // value x 10^decimals = mantissa x 2^exponent x 10^decimals, as a fraction of whole numbers.
        var bits = BitConverter.DoubleToInt64Bits(Math.Abs(value));
        var exponent = (int)(bits >> 52) is 0 ? -1074 : (int)(bits >> 52) - 1075;
        BigInteger numerator = (bits & 0xFFFFFFFFFFFFF) | ((bits >> 52) == 0 ? 0 : 1L << 52);
        numerator *= BigInteger.Pow(10, decimals);
        var denominator = exponent < 0 ? BigInteger.One << -exponent : BigInteger.One;
        if (exponent > 0) numerator <<= exponent;
        var whole = BigInteger.DivRem(numerator, denominator, out var rest);
        var twice = rest * 2;
        if (twice > denominator || (twice == denominator && !whole.IsEven)) whole++;
        var digits = whole.ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        if (decimals > 0) digits = $"{digits[..^decimals]}.{digits[^decimals..]}";
        return double.IsNegative(value) ? "-" + digits : digits;
    }

    private static JsonElement Report(PipelineTokenizer tokenizer, JsonElement line)
    {
        var decimals = line.Member("decimals").AsInt();
        if (decimals is < 0 or > MostDecimals) throw new MediaException(ErrorCodes.MediaMalformed, "Values are not written with so many decimals.") { Where = "decimals", Expected = $"0..{MostDecimals}", Found = $"{decimals}" };
        string[] written = [.. line.Some("values").Select(item => item.AsDouble()).Select(value => Write(value, decimals)).Select(value => line.Find("spacing")?.AsFlag() == true ? string.Join(' ', value.AsEnumerable()) : value)];
        var separator = line.Text("separator");
        var text = string.Join(separator, written);
        var encoding = tokenizer.EncodePlain(text);

        var values = new List<Split>();
        var owners = new int[encoding.Count];
        for (int i = 0, start = 0; i < written.Length; start += written[i].Length + separator.Length, i++)
        {
            var end = start + written[i].Length;
            int[] tokens = [.. Enumerable.Range(0, encoding.Count).Where(token => encoding.Offsets[token].Start < end && encoding.Offsets[token].End > start)];
            foreach (var token in tokens) owners[token]++;
            var cuts = tokens.SelectMany(token => new[] { encoding.Offsets[token].Start, encoding.Offsets[token].End }).Where(place => place > start && place < end).ToHashSet().Order().Append(end);
            var from = start;
            var pattern = new List<int>();
            foreach (var cut in cuts)
            {
                pattern.Add(cut - from);
                from = cut;
            }

            values.Add(new(written[i], [.. tokens.Select(token => encoding.Ids[token])], pattern));
        }

        var pairs = values.SelectMany((a, i) => values.Skip(i + 1).Select(b => (A: a, B: b))).ToList();
        var neighbours = values.Zip(values.Skip(1)).Where(pair => pair.First.Text.Length == pair.Second.Text.Length).ToList();
        return Line.Of(
            ("text", text), ("ids", encoding.Ids), ("patterns", values.Select(value => value.Pattern)),
            ("tokens_per_value", values.Average(value => value.Ids.Count)),
            ("digit_split_consistency", ShareOf(pairs.Where(pair => pair.A.Text.Length == pair.B.Text.Length), pair => pair.A.Pattern.SequenceEqual(pair.B.Pattern), 1)),
            ("single_digit", ShareOf(values, value => value.Pattern.All(length => length == 1), 1)),
            ("equal_value_alignment", ShareOf(pairs.Where(pair => pair.A.Text == pair.B.Text), pair => pair.A.Ids.SequenceEqual(pair.B.Ids), 1)),
            ("boundary_jumps", ShareOf(neighbours, pair => !pair.First.Pattern.SequenceEqual(pair.Second.Pattern), 0)),
            ("shared_tokens", owners.Count(count => count >= 2)));
    }

    private static double ShareOf<T>(IEnumerable<T> items, Func<T, bool> holds, double none)
    {
        var list = items.ToList();
        return list.Count == 0 ? none : (double)list.Count(holds) / list.Count;
    }

    private sealed record Split(string Text, IReadOnlyList<int> Ids, IReadOnlyList<int> Pattern);
}
