// Data Mixture Inference: What do BPE Tokenizers Reveal about their Training Data? Hayase, Liu, Choi, Oh, Smith. arXiv:2407.16607. github.com/alisawuffles/tokenizer-attack
// Published layout: merges.json, the merge list; word counts of each category come with the call. Deviations: the program is solved by our simplex in place of Gurobi.
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Replays a merge list on samples of candidate categories, and finds the mixture under which each merge was the most frequent pair of its time.</summary>
internal static class DataMixture
{
    private const int Shown = 12;       // pairs listed at a step
    private const int Competitors = 3;  // constraints that a step adds at a time
    private const double Tolerance = 1e-9;
    private static readonly int[] ShownSteps = [0, 1, 5];

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("data-mixture-inference", "Data Mixture Inference: What do BPE Tokenizers Reveal about their Training Data?", "2407.16607",
            ["Jonathan Hayase", "Alisa Liu", "Yejin Choi", "Sewoong Oh", "Noah A. Smith"], "alisawuffles/tokenizer-attack", "none stated") with { Layouts = ["merges.json"], Deviations = "Solved by our simplex in place of Gurobi." },
        source =>
        {
            (string Left, string Right)[] merges = [.. source.Json("merges.json").AsList().Select(Merge)];
            var samples = new Dictionary<string, Sample>();
            return new PaperModel(source)
                .OnLines("words", line =>
                {
                    var sample = new Sample(line.Find("text") is { } text ? Count(text.AsText()) : line.Member("words").AsMembers().Select(word => (word.Name, word.Value.AsLong())), merges);
                    samples[line.Text("category")] = sample;
                    return sample.Describe(line);
                })
                .On("solve", (arguments, cancel) => new CallResults().Add("lines", [.. arguments.Lines("lines").Select(line =>
                {
                    var (weights, objective) = Solve([.. line.Some("categories").Select(item => item.AsText()).Select(category => samples.TryGetValue(category, out var sample) ? sample : throw new ModelZooException(ErrorCodes.VerbUnsupported, "No words of this category were given.") { Where = "categories", Expected = samples.Count == 0 ? "the call 'words' before" : string.Join(", ", samples.Keys), Found = category })], merges.Length, cancel);
                    return Line.Of(("weights", weights), ("objective", objective));
                })]));
        });

    /// <summary>Weights of the samples, at least 0 and summing to 1, with the least sum of slacks v_step + v_pair that make each merge the most frequent pair.</summary>
    public static (double[] Weights, double Objective) Solve(IReadOnlyList<Sample> samples, int steps, CancellationToken cancel)
    {
        // Constraints are many and few bind: they are added as they are broken, the worst of each step first, as in the paper.
        var program = new MixtureProgram(samples.Count);
        var weights = Enumerable.Repeat(1.0 / samples.Count, samples.Count).ToArray();
        var objective = 0.0;
        var stepSlack = new Dictionary<int, double>();
        var pairSlack = new Dictionary<(string, string), double>();
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            var added = 0;
            for (var step = 0; step < steps; step++)
            {
                var merge = samples[0].MergeAt(step);
                var own = Mix(samples, weights, step, merge);
                var allowed = own + stepSlack.GetValueOrDefault(step) + Tolerance;
                var broken = samples.SelectMany(sample => sample.Pairs(step)).Distinct().Where(pair => pair != merge)
                    .Select(pair => (Pair: pair, Excess: Mix(samples, weights, step, pair) - pairSlack.GetValueOrDefault(pair) - allowed)).Where(found => found.Excess > 0)
                    .OrderByDescending(found => found.Excess);
                added += broken.Where(found => program.Add(step, found.Pair, [.. samples.Select(sample => sample.Share(step, merge) - sample.Share(step, found.Pair))])).Take(Competitors).Count();
            }

            if (added == 0) return (weights, objective);
            (weights, stepSlack, pairSlack, objective) = program.Solve(cancel);
        }
    }

    // Words between white space, for merge lists without marks of words.
    private static IEnumerable<(string, long)> Count(string text) => PythonText.Words(text).CountBy(word => word).Select(word => (word.Key, (long)word.Value));

    private static double Mix(IReadOnlyList<Sample> samples, double[] weights, int step, (string, string) pair) => Enumerable.Range(0, samples.Count).Sum(i => weights[i] * samples[i].Share(step, pair));

    private static (string, string) Merge(JsonElement merge) => merge.ValueKind == JsonValueKind.Array
        ? (merge[0].AsText(), merge[1].AsText())
        : merge.AsText().Split(' ', 2) is [var left, var right] ? (left, right) : throw new CheckpointException(ErrorCodes.CheckpointMalformed, "A merge is not a pair.");

    /// <summary>A category's words, and its pair counts before each merge.</summary>
    internal sealed class Sample
    {
        private readonly IReadOnlyList<(string Left, string Right)> _merges;
        private readonly List<Dictionary<(string Left, string Right), long>> _counts = [];
        private readonly double _characters;

        public Sample(IEnumerable<(string Word, long Count)> words, IReadOnlyList<(string Left, string Right)> merges)
        {
            _merges = merges;
            var spelled = words.Select(word => (Symbols: new List<string>(Scalars.Split(word.Word)), word.Count)).ToList();
            _characters = spelled.Sum(word => (double)word.Symbols.Count * word.Count);
            foreach (var (left, right) in merges)
            {
                var counts = new Dictionary<(string, string), long>();
                foreach (var (symbols, count) in spelled)
                {
                    for (var i = 0; i + 1 < symbols.Count; i++) counts[(symbols[i], symbols[i + 1])] = counts.GetValueOrDefault((symbols[i], symbols[i + 1])) + count;
                    for (var i = 0; i + 1 < symbols.Count; i++)
                    {
                        if (symbols[i] != left || symbols[i + 1] != right) continue;
                        symbols[i] = left + right;
                        symbols.RemoveAt(i + 1);
                    }
                }

                _counts.Add(counts);
            }
        }

        /// <summary>The pair merged at a step.</summary>
        public (string Left, string Right) MergeAt(int step) => _merges[step];

        /// <summary>The pairs that there are before a step.</summary>
        public IEnumerable<(string Left, string Right)> Pairs(int step) => _counts[step].Keys;

        /// <summary>Occurrences of a pair before a step, by character of the sample.</summary>
        public double Share(int step, (string, string) pair) => _counts[step].GetValueOrDefault(pair) / _characters;

        public JsonElement Describe(JsonElement line)
        {
            int[] steps = line.Find("steps") is null ? [.. ShownSteps.Append(_counts.Count - 1).Where(step => step < _counts.Count).Distinct()] : line.Ints("steps");
            return Line.Of(
                ("denominator", _characters),
                ("pair_counts", steps.Select(step => KeyValuePair.Create($"{step}", (object?)_counts[step].OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key.Left, Scalars.ByCodePoint).ThenBy(pair => pair.Key.Right, Scalars.ByCodePoint).Take(Shown).Select(pair => (pair.Key.Left, pair.Key.Right, pair.Value))))),
                ("merge_counts", Enumerable.Range(0, _counts.Count).Select(step => _counts[step].GetValueOrDefault(_merges[step]))));
        }
    }
}
