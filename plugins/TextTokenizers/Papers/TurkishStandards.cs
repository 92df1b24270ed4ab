// Tokenization Standards for Linguistic Integrity: Turkish as a Benchmark. Bayram, Fincan, Gümüş, Karakaş, Diri, Yıldırım. arXiv:2502.07057
// Published layout: tokenizer.json files, lexicon.txt, roots.txt, affixes.txt. Deviations: no public code; word lists stand for the morphological analyser.
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>TR% (distinct tokens that are Turkish words) and Pure% (distinct tokens that are whole roots or affixes).</summary>
internal static class TurkishStandards
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("turkish-tokenization-standards", "Tokenization Standards for Linguistic Integrity: Turkish as a Benchmark", "2502.07057",
            ["M. Ali Bayram", "Ali Arda Fincan", "Ahmet Semih Gümüş", "Sercan Karakaş", "Banu Diri", "Savaş Yıldırım"], null)
            with { Layouts = ["<tokenizer>.json + lexicon.txt + roots.txt + affixes.txt"], Deviations = "Word lists stand for the morphological analyser." },
        source =>
        {
            var tokenizers = new TokenizerSet(source);
            var lexicon = source.Lines("lexicon.txt").ToHashSet();
            var morphemes = source.Lines("roots.txt").Concat(source.Lines("affixes.txt")).ToHashSet();
            return new PaperModel(source).Compares(tokenizers, "fertility", "bytes-per-token", "vocabulary-used")
                .OnLines("score", line =>
                {
                    var tokenizer = tokenizers[line.Text("tokenizer")];
                    int[] ids = [.. line.Texts("texts").SelectMany(text => tokenizer.EncodePlain(text).Ids)];
                    int[] distinct = [.. ids.Distinct()];
                    var texts = distinct.Select(id => Clean(tokenizer, id)).OfType<string>().Where(text => text.Length > 0).ToList();
                    var valid = texts.Where(lexicon.Contains).Order(Scalars.ByCodePoint).ToList();
                    var pure = texts.Where(morphemes.Contains).Order(Scalars.ByCodePoint).ToList();
                    return Line.Of(
                        ("vocabulary_size", tokenizer.Ids.Count()), ("token_count", ids.Length), ("distinct", distinct.Length), ("valid", valid), ("pure", pure),
                        ("tr_percent", 100 * Boundaries.Share(valid.Count, distinct.Length)), ("pure_percent", 100 * Boundaries.Share(pure.Count, distinct.Length)));
                })
                .On("correlate", arguments =>
                {
                    var figures = arguments.Tensor("figures").ToDoubles();     // (tokenizers, k)
                    double[] scores = [.. arguments.Tensor("scores").ToDoubles().Span];
                    double[] pearson = [.. Enumerable.Range(0, (int)figures.Shape[1]).Select(k => Vectors.Pearson([.. Enumerable.Range(0, scores.Length).Select(i => figures[i, k])], scores))];
                    return new CallResults().Add("pearson", Tensor.Create(pearson, pearson.Length));
                });
        });

    /// <summary>Lower case as Turkish has it: I is dotless, dotted I becomes i.</summary>
    public static string Lower(string text) => PythonText.Lower(text.Replace('I', 'ı').Replace('İ', 'i'));

    // The token's text without its marks; null when it is no valid UTF-8.
    private static string? Clean(PipelineTokenizer tokenizer, int id)
    {
        var token = tokenizer.TokenOf(id)!;
        if (tokenizer.UsesByteAlphabet && !tokenizer.AddedTokens.ContainsKey(id))
        {
            try
            {
                token = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(tokenizer.BytesOf(id));
            }
            catch (DecoderFallbackException)
            {
                return null;
            }
        }

        if (token.StartsWith("##", StringComparison.Ordinal)) token = token[2..];
        if (token.StartsWith('\u2581') || token.StartsWith('\u0120')) token = token[1..];
        return Lower(PythonText.Strip(token));
    }
}
