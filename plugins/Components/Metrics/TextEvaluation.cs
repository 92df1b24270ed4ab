using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>Texts against one reference each, and texts against one another.</summary>
internal static class TextEvaluation
{
    public static IReadOnlyList<IMetric> All { get; } =
    [
        Corpus("bleu", "", true, "Corpus BLEU of sacreBLEU with its defaults (arXiv:1804.08771), 0 to 100.", pairs =>
        {
            var bleu = new Bleu();
            foreach (var (reference, output) in pairs) bleu.Add(BleuTokenizer.Tokenize(output, "13a"), [BleuTokenizer.Tokenize(reference, "13a")]);
            var score = bleu.Score();
            return new(score.Value) { Parts = [.. score.Precisions.Select((p, n) => KeyValuePair.Create($"precision {n + 1}", p)), KeyValuePair.Create("brevity penalty", score.BrevityPenalty)] };
        }),
        Corpus("chrf", "", true, "Corpus chrF2 of sacreBLEU, 0 to 100.", pairs => new(new Chrf().Corpus([.. pairs.Select(p => p.Output)], [.. pairs.Select(p => new[] { p.Reference })]))),
        Corpus("ter", "", false, "Translation edit rate of sacreBLEU, in percent.", pairs =>
        {
            var tokenizer = new TerTokenizer();
            var scores = pairs.Select(p => Ter.Score(tokenizer.Tokenize(p.Output), [tokenizer.Tokenize(p.Reference)])).ToList();
            return new(Ter.Rate(scores.Sum(s => s.Edits), scores.Sum(s => s.ReferenceLength)));
        }),
        Corpus("wer", "", false, "Word error rate of the corpus: errors over spoken words.", pairs => ErrorRate(pairs, Wer.Words)),
        Corpus("cer", "", false, "Character error rate of the corpus.", pairs => ErrorRate(pairs, Wer.Characters)),
        Each("rouge-1", "ROUGE-1 F1 with stemming (rouge-score).", (reference, output) => new Rouge(UseStemmer: true).Score(reference, output, "rouge1").F1),
        Each("rouge-2", "ROUGE-2 F1 with stemming (rouge-score).", (reference, output) => new Rouge(UseStemmer: true).Score(reference, output, "rouge2").F1),
        Each("rouge-l", "ROUGE-L F1 with stemming (rouge-score).", (reference, output) => new Rouge(UseStemmer: true).Score(reference, output, "rougeL").F1),
        Each("meteor", "METEOR over exact and stemmed matches (NLTK without WordNet).", (reference, output) => new Meteor().Score(BleuTokenizer.Split(output), BleuTokenizer.Split(reference))),
        Each("exact-match", "Share of outputs that equal the reference but for white space at the ends.", (reference, output) => reference.Trim() == output.Trim() ? 1 : 0),
        new MeanMetric("accuracy", "", true, "Share of outputs that equal the label.", o => o is { Output: Text output, Label: { } label } ? output.Value.Trim() == label ? 1 : 0 : null),
        Distinct(1), Distinct(2),
        new SetMetric<string[]>("self-bleu", "", false, "Mean BLEU-4 of each output against all others, 0 to 1: repetition across outputs.", Words, texts => texts.Count < 2 ? null : new(Diversity.SelfBleu(texts).Average())),
    ];

    private sealed record Pair(string Reference, string Output);

    private static SetMetric<Pair> Corpus(string name, string unit, bool higher, string description, Func<IReadOnlyList<Pair>, SetFigure?> measure) =>
        new(name, unit, higher, description, o => o is { Reference: Text reference, Output: Text output } ? new(reference.Value, output.Value) : null, measure);

    private static MeanMetric Each(string name, string description, Func<string, string, double> measure) =>
        new(name, "", true, description, o => o is { Reference: Text reference, Output: Text output } ? measure(reference.Value, output.Value) : null);

    private static SetMetric<string[]> Distinct(int n) => new($"distinct-{n}", "", true, $"Different {n}-grams over all {n}-grams of the outputs.", Words, texts => new(Diversity.Distinct(texts, n)));

    private static string[]? Words(Observation observation) => observation.Output is Text text ? BleuTokenizer.Split(text.Value) : null;

    private static SetFigure? ErrorRate(IReadOnlyList<Pair> pairs, Func<string, string[]> split)
    {
        var counts = pairs.Select(p => Wer.Align(split(p.Reference), split(p.Output))).Aggregate((a, b) => a + b);
        return counts.Hits + counts.Substitutions + counts.Deletions == 0 ? null : new(counts.ErrorRate)
        {
            Parts = [KeyValuePair.Create("substitutions", (double)counts.Substitutions), KeyValuePair.Create("deletions", (double)counts.Deletions), KeyValuePair.Create("insertions", (double)counts.Insertions)],
        };
    }
}
