// Greed is All You Need: An Evaluation of Tokenizer Inference Methods. Uzan, Schmidt, Tanner, Pinter. arXiv:2403.01289. github.com/MeLeLBGU/tokenizers_intrinsic_benchmark
// Published layouts: vocab.json (token to log-probability) + merges.json for the methods; tokenizer.json for the measures. Deviations: none.
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Hosting;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The paper's methods of inference over one vocabulary, and its measures of any tokenizer.</summary>
internal static class InferenceBenchmark
{
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "text-tokenizers/tokenizer-inference-benchmark",
            Paper = "Greed is All You Need: An Evaluation of Tokenizer Inference Methods",
            ArXiv = "2403.01289",
            Authors = ["Omri Uzan", "Craig W. Schmidt", "Chris Tanner", "Yuval Pinter"],
            Repository = "MeLeLBGU/tokenizers_intrinsic_benchmark",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens],
            Layouts = ["vocab.json + merges.json", "tokenizer.json"],
        },
        (source, _) => ValueTask.FromResult(File.Exists(Path.Combine(source.RequireFolder(), "vocab.json")) ? OpenMethods(source) : OpenMeasures(source)));

    private static IModel OpenMethods(ModelSource source)
    {
        var vocabulary = source.Json("vocab.json").AsMembers().Select(token => KeyValuePair.Create(token.Name, token.Value.AsDouble())).ToList();
        string[][] merges = File.Exists(Path.Combine(source.RequireFolder(), "merges.json")) ? [.. source.Json("merges.json").AsList().Select(Texts)] : [];
        var methods = new SegmentationMethods(new Dictionary<string, double>(vocabulary), [.. merges.Select(pair => (pair[0], pair[1]))]);
        string[] pieces = [.. vocabulary.Select(token => token.Key)];
        return new PaperModel(source)
            .OnLines("segment", line => LineCalls.ToElement(Segment(methods, line.Text("word"))))
            .Tokenizes<InferenceOptions>(options => new PieceCodec(pieces, text => Words(text).SelectMany(word => methods.Cut(word, options.Method) ?? [word])))
            .Answers(Modality.Text);
    }

    // Words and the white space between them, which no vocabulary of words holds.
    private static IEnumerable<string> Words(string text)
    {
        for (int start = 0, end = 0; start < text.Length; start = end)
        {
            while (end < text.Length && char.IsWhiteSpace(text[end]) == char.IsWhiteSpace(text[start])) end++;
            yield return text[start..end];
        }
    }

    private static IModel OpenMeasures(ModelSource source)
    {
        var tokenizer = TokenizerJson.Load(TokenizerJsonModel.PathOf(source));
        return new PaperModel(source)
            .OnLines("segmentation_f1", line =>
            {
                var (f1, tokens) = SegmentationF1(tokenizer, line.Texts("words"), [.. line.Member("gold").AsList().Select(Texts)], continuing: line.Option("special")?.AsText() == "##");
                return Line.Of(("f1", f1), ("tokens", tokens));
            })
            .OnLines("fertility", line => Line.Of(("fertility", Fertility(tokenizer, line.Texts("texts")))))
            .Tokenizes(tokenizer)
            .Answers(Modality.Text);
    }

    /// <summary>Tokens per word, words being what single spaces divide.</summary>
    public static double Fertility(Tokenizer tokenizer, IReadOnlyList<string> texts) =>
        (double)texts.Sum(text => tokenizer.CountTokens(text)) / texts.Sum(text => text.Split(' ').Length);

    /// <summary>
    /// F1 of token boundaries against morphemes, 2tp / (2tp + fp + fn) over all words. As in the authors' code, words that are one token, and those with a morpheme that is no token, do not count;
    /// lengths are those of the tokens' strings, marks included.
    /// </summary>
    public static (double F1, IReadOnlyList<string[]> Tokens) SegmentationF1(Tokenizer tokenizer, IReadOnlyList<string> words, IReadOnlyList<string[]> gold, bool continuing)
    {
        if (gold.Count != words.Count || gold.Any(morphemes => morphemes.Length == 0))
            throw new MediaException(ErrorCodes.MediaMalformed, "Each word needs its morphemes.") { Where = "gold", Expected = $"{words.Count} lists with a morpheme or more", Found = $"{gold.Count} lists" };
        var (found, wrong, missed) = (0, 0, 0);
        var all = new List<string[]>();
        for (var i = 0; i < words.Count; i++)
        {
            string[] tokens = [.. tokenizer.EncodeToTokens(words[i]).Select(token => token.Value)];
            all.Add(tokens);
            string[] morphemes = ["\u0120" + gold[i][0], .. gold[i].Skip(1)];
            if (tokenizer.IdOf(string.Concat(morphemes)) is not null) continue;
            if (continuing) morphemes = [morphemes[0], .. morphemes.Skip(1).Select(morpheme => "##" + morpheme)];
            if (morphemes.Any(morpheme => tokenizer.IdOf(morpheme) is null)) continue;
            var (right, ours) = (Boundaries(morphemes), Boundaries(tokens));
            found += ours.Count(right.Contains);
            wrong += ours.Count(boundary => !right.Contains(boundary));
            missed += right.Count(boundary => !ours.Contains(boundary));
        }

        return (found / (found + 0.5 * (wrong + missed)), all);
    }

    private static HashSet<int> Boundaries(IReadOnlyList<string> parts)
    {
        var result = new HashSet<int>();
        var length = 0;
        foreach (var part in parts.SkipLast(1)) result.Add(length += part.EnumerateRunes().Count());
        return result;
    }

    private static JsonObject Segment(SegmentationMethods methods, string word)
    {
        var likelihood = methods.Likelihood(word);
        return new()
        {
            ["longest_prefix"] = ToArray(methods.LongestPrefix(word)),
            ["longest_suffix"] = ToArray(methods.LongestSuffix(word)),
            ["longest_token"] = ToArray(methods.LongestToken(word)),
            ["least_tokens_count"] = methods.LeastTokens(word)?.Count,
            ["merges"] = ToArray(methods.Merges(word)),
            ["likelihood"] = ToArray(likelihood),
            ["likelihood_score"] = likelihood is null ? null : methods.Score(likelihood),
        };
    }

    private static JsonArray? ToArray(IReadOnlyList<string>? tokens) => tokens is null ? null : LineCalls.ToArray(tokens);

    private static string[] Texts(JsonElement array) => [.. array.AsList().Select(item => item.AsText())];
}
