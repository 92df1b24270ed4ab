// Rethinking Tokenization for Rich Morphology: The Dominance of Unigram over BPE and Morphological Alignment. Vemula, Dandapat, Sharma, Krishnamurthy. arXiv:2508.08424
// Published layout: tokenizer.json files by kind and size. Deviations: no public code; downstream scores are given, not measured.
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Where a tokenizer cuts words, against gold morphemes; fertility, compression, and correlation with downstream scores.</summary>
internal static class RichMorphology
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("tokenization-rich-morphology", "Rethinking Tokenization for Rich Morphology: The Dominance of Unigram over BPE and Morphological Alignment", "2508.08424",
            ["Saketh Reddy Vemula", "Sandipan Dandapat", "Dipti Misra Sharma", "Parameswari Krishnamurthy"], null) with { Layouts = ["<kind>-<size>.json"], Deviations = "No public code." },
        source =>
        {
            var tokenizers = new TokenizerSet(source);
            return new PaperModel(source).Compares(tokenizers, "boundary-f1", "fertility", "bytes-per-token", "characters-per-token")
                .OnLines("align", line => Align(tokenizers[line.Text("tokenizer")], line))
                .OnLines("stats", line => Statistics(tokenizers[line.Text("tokenizer")], line.Texts("sentences")))
                .OnLines("presegment", line => Line.Of(("text", string.Join(' ', PythonText.Words(line.Text("sentence")).SelectMany(word => Morphemes(word, line.Member("gold")))))))
                .On("correlate", arguments =>
                {
                    double[] x = [.. arguments.Tensor("x").ToDoubles().Span], y = [.. arguments.Tensor("y").ToDoubles().Span];
                    return new CallResults().Add("pearson", Vectors.Pearson(x, y)).Add("spearman", Vectors.Pearson(Ranks(x), Ranks(y)));
                });
        });

    /// <summary>Ranks from 1; equal values share the mean of theirs.</summary>
    public static double[] Ranks(double[] values) => [.. values.Select(value => values.Count(other => other < value) + (values.Count(other => other == value) + 1) / 2.0)];

    private static JsonElement Align(PipelineTokenizer tokenizer, JsonElement line)
    {
        var words = line.Some("words").Select(item =>
        {
            var word = item.Text("word");
            var length = Scalars.Count(word);
            var predicted = new SortedSet<int>(tokenizer.EncodePlain(word).Offsets.SelectMany(offset => new[] { offset.Start, offset.End }).Where(place => place > 0 && place < length));
            return (Word: word, Predicted: predicted, Gold: Boundaries.Between(item.Texts("gold")));
        }).ToList();
        var (precision, recall) = Boundaries.Micro([.. words.Select(word => (word.Predicted, word.Gold))]);
        return Line.Of(
            ("segments", words.Select(word => Boundaries.Cut(word.Word, word.Predicted))), ("precision", precision), ("recall", recall), ("f1", Boundaries.F1(precision, recall)),
            ("macro_f1", words.Average(word => Boundaries.WordF1(word.Predicted, word.Gold))), ("exact", words.Average(word => word.Predicted.SetEquals(word.Gold) ? 1.0 : 0.0)));
    }

    private static JsonElement Statistics(PipelineTokenizer tokenizer, string[] sentences)
    {
        var tokens = sentences.Sum(sentence => tokenizer.EncodePlain(sentence).Count);
        var words = sentences.Sum(sentence => PythonText.Words(sentence).Count);
        return Line.Of(
            ("tokens", tokens), ("words", words), ("fertility", Boundaries.Share(tokens, words)),
            ("compression", Boundaries.Share(sentences.Sum(sentence => Encoding.UTF8.GetByteCount(string.Join(' ', PythonText.Words(sentence)))), tokens)),
            ("characters_per_token", Boundaries.Share(sentences.Sum(sentence => Scalars.Count(string.Join(' ', PythonText.Words(sentence)))), tokens)));
    }

    private static IEnumerable<string> Morphemes(string word, JsonElement gold) => gold.Find(word) is { } pieces
        ? pieces.AsList().Select((piece, i) => i == 0 ? piece.AsText() : "@@" + piece.AsText())
        : [word];
}
