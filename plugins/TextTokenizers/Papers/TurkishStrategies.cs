// Optimal Turkish Subword Strategies at Scale: Systematic Evaluation of Data, Vocabulary, Morphology Interplay. Altinok. arXiv:2602.06942.
// Published layout: wordpiece-<size>.json and morphemes.txt. Deviations: no public code; the abstract names the figures, the formulas are ours.
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Intrinsic diagnostics of a tokenizer on words with gold morphemes, of which the first is the lemma.</summary>
internal static class TurkishStrategies
{
    private const string Continuation = "##", Unknown = "[UNK]";

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("turkish-subword-strategies", "Optimal Turkish Subword Strategies at Scale: Systematic Evaluation of Data, Vocabulary, Morphology Interplay", "2602.06942", ["Duygu Altinok"], null)
            with { Layouts = ["wordpiece-<size>.json + morphemes.txt"], Deviations = "No public code; the formulas of the figures are ours." },
        source =>
        {
            var tokenizers = new TokenizerSet(source);
            return new PaperModel(source).Compares(tokenizers, "boundary-f1", "fertility", "continued-words", "vocabulary-used")
                .OnLines("diagnose", line => Diagnose(Tokenizer(source, tokenizers, line.Text("tokenizer")), line))
                .OnLines("table", line => Line.Of(("best", line.Some("cells")
                    .OrderByDescending(cell => cell.Member("f1").AsDouble()).ThenBy(cell => cell.Member("vocabulary").AsDouble()).ThenBy(cell => cell.Member("corpus").AsDouble()).First())));
        });

    /// <summary>Smallest number of insertions, deletions and exchanges of characters.</summary>
    public static int EditDistance(string[] a, string[] b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0]++;
            for (var j = 1; j <= b.Length; j++) (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
        }

        return row[^1];
    }

    private static Func<string, string[]> Tokenizer(ModelSource source, TokenizerSet tokenizers, string name)
    {
        if (name == "character") return Scalars.Split;
        if (name.EndsWith(".json", StringComparison.Ordinal)) return word => [.. tokenizers[name].EncodePlain(word).Tokens];
        var morphemes = source.Lines(name).ToHashSet();
        return word => LongestMorphemes(word, morphemes);
    }

    private static string[] LongestMorphemes(string word, HashSet<string> morphemes)
    {
        var letters = Scalars.Split(word);
        var pieces = new List<string>();
        for (var start = 0; start < letters.Length;)
        {
            var end = letters.Length;
            while (end > start + 1 && !morphemes.Contains(Scalars.Join(letters.AsSpan(start..end)))) end--;
            pieces.Add(Scalars.Join(letters.AsSpan(start..end)));
            start = end;
        }

        return [.. pieces];
    }

    private static JsonElement Diagnose(Func<string, string[]> tokenize, JsonElement line)
    {
        var words = line.Some("words").Select(item => Examine(item.Text("word"), item.Texts("gold"), tokenize(item.Text("word")))).ToList();
        var (precision, recall) = Boundaries.Micro([.. words.Select(word => (word.Predicted, word.Gold))]);
        var tokens = words.Sum(word => word.Tokens.Length);
        return Line.Of(
            ("tokens", words.Select(word => word.Tokens)), ("precision", precision), ("recall", recall),
            ("f1_micro", Boundaries.F1(precision, recall)), ("f1_macro", words.Average(word => Boundaries.WordF1(word.Predicted, word.Gold))),
            ("over_segmentation", words.Average(word => word.ShareOfPlaces(word.Predicted.Except(word.Gold).Count()))),
            ("under_segmentation", words.Average(word => word.ShareOfPlaces(word.Gold.Except(word.Predicted).Count()))),
            ("lemma_atomicity", words.Average(word => word.Texts.FirstOrDefault() == word.Morphemes[0] ? 1.0 : 0)),
            ("lemma_whole", words.Average(word => word.IsUnknown || word.Predicted.Any(place => place < Scalars.Count(word.Morphemes[0])) ? 0.0 : 1)),
            ("affix_coverage", Boundaries.Share(words.Sum(word => word.CoveredAffixes()), words.Sum(word => word.Morphemes.Length - 1))),
            ("continuation_rate", Boundaries.Share(tokens - words.Count, tokens)),
            ("fertility", Boundaries.Share(tokens, words.Count)),
            ("unknown_rate", words.Average(word => word.IsUnknown ? 1.0 : 0)),
            ("cer", Boundaries.Share(words.Sum(word => EditDistance(Scalars.Split(string.Concat(word.Texts)), Scalars.Split(word.Text))), words.Sum(word => word.Length))),
            ("wer", words.Average(word => string.Concat(word.Texts) == word.Text ? 0.0 : 1)));
    }

    private static Examined Examine(string word, string[] morphemes, string[] tokens)
    {
        var unknown = tokens is [Unknown];
        string[] texts = unknown ? [] : [.. tokens.Select(token => token.StartsWith(Continuation, StringComparison.Ordinal) && token.Length > 2 ? token[2..] : token)];
        return new(word, Scalars.Count(word), morphemes, tokens, texts, unknown, unknown ? [] : Boundaries.Between(texts), Boundaries.Between(morphemes));
    }

    private sealed record Examined(string Text, int Length, string[] Morphemes, string[] Tokens, string[] Texts, bool IsUnknown, SortedSet<int> Predicted, SortedSet<int> Gold)
    {
        public double ShareOfPlaces(int count) => Length < 2 ? 0 : (double)count / (Length - 1);

        // Affixes that stand exactly where a token stands.
        public int CoveredAffixes()
        {
            int[] ends = [0, .. Predicted, Length], gold = [0, .. Gold, Length];
            return IsUnknown ? 0 : Enumerable.Range(1, Morphemes.Length - 1).Count(i => Array.IndexOf(ends, gold[i]) is >= 0 and var at && at + 1 < ends.Length && ends[at + 1] == gold[i + 1]);
        }
    }
}
