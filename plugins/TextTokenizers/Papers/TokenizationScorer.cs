// Tokenization and the Noiseless Channel. Zouhar, Meister, Gastaldi, Du, Sachan, Cotterell. arXiv:2306.16842. github.com/zouharvi/tokenization-scorer
// Published layout: token-sets.json, lists of segmented lines. Deviations: none.
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Intrinsic figures of a segmented text; higher is better, so lengths are negative.</summary>
internal static class TokenizationScorer
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("metrics", "Tokenization and the Noiseless Channel", "2306.16842",
            ["Vilém Zouhar", "Clara Meister", "Juan Luis Gastaldi", "Li Du", "Mrinmaya Sachan", "Ryan Cotterell"], "zouharvi/tokenization-scorer", "MIT") with { Layouts = ["token-sets.json, segmented lines, for the calls", "tokenizer.json files, for evaluate"] },
        source =>
        {
            var sets = new Lazy<string[][][]>(() => [.. source.Json("token-sets.json").AsList().Select(Lines)]);
            return new PaperModel(source).Compares(new(source), "renyi-efficiency", "shannon-efficiency", "percentile-frequency").OnLines("evaluate", line => Line.Of(("value", Score(Set(sets.Value, line.Member("set").AsInt()), line.Text("metric"), line))));
        });

    private static string[][] Set(string[][][] sets, int number) => (uint)number < (uint)sets.Length ? sets[number]
        : throw new MediaException(ErrorCodes.MediaMalformed, "There is no such set.") { Where = "set", Expected = $"0..{sets.Length - 1}", Found = $"{number}" };

    /// <summary>Renyi entropy of order <paramref name="power"/> in bits; order 1 is Shannon's.</summary>
    public static double RenyiEntropy(IReadOnlyList<double> probabilities, double power) => power == 1
        ? -probabilities.Sum(p => p * Math.Log2(p))
        : Math.Log2(probabilities.Sum(p => Math.Pow(p, power))) / (1 - power);

    /// <summary>Renyi entropy over the logarithm of the vocabulary size.</summary>
    public static double RenyiEfficiency(IReadOnlyList<double> probabilities, double power, int vocabulary) => RenyiEntropy(probabilities, power) / Math.Log2(vocabulary);

    /// <summary>Share of the tokens whose types lie between two ranks, given as shares of the number of types.</summary>
    public static double PercentileFrequency(IReadOnlyList<double> falling, double start, double end)
    {
        var last = falling.Count - 1;
        var from = Math.Min((int)(falling.Count * start), last);
        var to = Math.Min((int)(falling.Count * end), last);
        if (from == to) from = Math.Max(0, from - 1);
        if (from == to) to = Math.Min(last, to + 1);
        var mass = 0.0;
        for (var i = from; i < to; i++) mass += falling[i];
        return mass;
    }

    private static double Score(string[][] lines, string metric, JsonElement line)
    {
        double[] counts = [.. lines.SelectMany(tokens => tokens).CountBy(token => token).Select(pair => (double)pair.Value).OrderDescending()];
        var total = counts.Sum();
        double[] probabilities = [.. counts.Select(count => count / total)];
        var power = line.Option("power")?.AsDouble() ?? 3;
        var vocabulary = line.Option("vocab", counts.Length);
        return metric switch
        {
            "renyi" or "renyi_efficiency" => RenyiEfficiency(probabilities, power, vocabulary),
            "renyi_entropy" => RenyiEntropy(probabilities, power),
            "shannon" or "shannon_efficiency" => RenyiEfficiency(probabilities, 1, vocabulary),
            "entropy" or "shannon_entropy" => RenyiEntropy(probabilities, 1),
            "sequence_length" or "sequence_len" or "seq_len" or "document_length" or "doc_len" => -total,
            "gowda" or "percentile_freq" or "perc_freq" =>
                PercentileFrequency(probabilities, line.Option("perc_start")?.AsDouble() ?? 0.03, line.Option("perc_end")?.AsDouble() ?? 0.83),
            "bits" => -total * Math.Log2(counts.Length),
            _ => throw new ModelZooException(ErrorCodes.MetricUnknown, $"There is no metric '{metric}'."),
        };
    }

    private static string[][] Lines(JsonElement set) => [.. set.AsList().Select(line => line.AsList().Select(token => token.AsText()).ToArray())];
}
