// Incorporating Domain Knowledge into Materials Tokenization. Oh et al. arXiv:2506.11115. github.com/yerimoh/MATTER (code/02.makefrequent.py, 03.MATTER.py)
// Published layout: vocab.txt. Deviations: the detector that gives each word its probability is not here.
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.PostProcessors;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;
using ModelZoo.Plugins.TextTokenizers.Trainers;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>WordPiece whose corpus repeats material words the more, the surer a detector is of them.</summary>
internal static class Matter
{
    private const int LimitAlphabet = 1000;
    private static readonly string[] SpecialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    private static readonly HashSet<string> ReadAsMissing = ["", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan", "<na>", "n/a", "na", "null", "nan", "none"];

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("matter", "Incorporating Domain Knowledge into Materials Tokenization", "2506.11115", ["Yerim Oh", "Jun-Hyung Park", "Junho Kim", "SungHo Kim", "SangKeun Lee"], "yerimoh/MATTER", "none stated") with { Layouts = ["vocab.txt"], Deviations = "The material detector is not part of it." },
        source =>
        {
            var normalizer = new BertNormalizer(cleanText: true, handleChineseChars: true, stripAccents: true, lowercase: true);
            var tokenizer = Tokenizer(source, normalizer);
            return new PaperModel(source)
                .On("train", (arguments, cancel) =>
                {
                    var words = Weigh(arguments.Lines("lines"), arguments.Literal("lambda_value", 1.0));
                    var counts = new TrainingPipeline(normalizer, new BertPreTokenizer()).Count(words.SelectMany(word => Enumerable.Repeat(word.Text, word.Copies)), cancel);
                    var trained = BpeTrainer.Train(counts, new()
                    {
                        VocabSize = arguments.Literal("vocab_size", 30000),
                        MinFrequency = arguments.Literal("min_frequency", 2),
                        LimitAlphabet = LimitAlphabet,
                        SpecialTokens = SpecialTokens,
                        ContinuingSubwordPrefix = "##",
                    }, cancel: cancel);
                    return new CallResults()
                        .Add("frequencies", [.. words.Select(word => Line.Of(("word", word.Text), ("tag", word.Tag), ("frequency", word.Frequency), ("adjusted", word.Adjusted), ("copies", word.Copies)))])
                        .Add("vocabulary", [.. trained.Tokens.Select((token, id) => Line.Of(("id", id), ("token", token)))]);
                })
                .OnLines("encode", line =>
                {
                    var encoding = tokenizer.Encode(line.Text("text"), options: new() { Offsets = Pipeline.OffsetUnit.CodePoint });
                    return Line.Of(("ids", encoding.Ids), ("tokens", encoding.Tokens), ("offsets", encoding.Offsets), ("decoded", tokenizer.Decode([.. encoding.Ids], skipSpecialTokens: true)));
                })
                .Tokenizes(tokenizer);
        });

    /// <summary>Material words, then others, by falling frequency. Material words gain lambda p / (1 - p), p the mean probability rounded to two places and kept within 0.01 and 0.99.</summary>
    public static List<Word> Weigh(IReadOnlyList<JsonElement> rows, double lambda)
    {
        var materials = rows.Where(row => row.Text("list") != "o").GroupBy(row => PythonText.Lower(row.Text("word"))).Where(group => !ReadAsMissing.Contains(group.Key)).Select(group =>
        {
            var p = Math.Round(group.Average(row => row.Member("probability").AsDouble()), 2, MidpointRounding.ToEven);
            p = p >= 1 ? 0.99 : p <= 0 ? 0.01 : p;
            return new Word(group.Key, "material term", group.Count(), group.Count() + lambda * p / (1 - p));
        });
        var others = rows.Where(row => row.Text("list") == "o").SelectMany(row => PythonText.Words(PythonText.Lower(row.Text("word")))).CountBy(word => word)
            .Where(pair => !ReadAsMissing.Contains(pair.Key)).Select(pair => new Word(pair.Key, "general word", pair.Value, pair.Value));
        return [.. materials.OrderByDescending(word => word.Frequency), .. others.OrderByDescending(word => word.Frequency)];
    }

    private static PipelineTokenizer Tokenizer(ModelSource source, Normalizer normalizer)
    {
        var vocabulary = new TokenTable(0);
        var tokens = source.Lines("vocab.txt");
        for (var id = 0; id < tokens.Length; id++) vocabulary.Add(Encoding.UTF8.GetBytes(tokens[id]), id);
        (string, int) Special(string token) => (token, vocabulary.TryGet(token, out var id) ? id : throw new CheckpointException(ErrorCodes.CheckpointMalformed, $"vocab.txt lacks {token}."));
        return new(new WordPieceModel(vocabulary), [.. SpecialTokens.Select(token => new Pipeline.AddedToken(token) { Special = true, Normalized = false })], normalizer)
        {
            PreTokenizer = new BertPreTokenizer(),
            PostProcessor = new BertPostProcessor(Special("[SEP]"), Special("[CLS]")),
            Decoder = new Decoders.WordPieceDecoder("##", cleanup: true),
        };
    }

    /// <summary>A word, its tag, its rows and the count that it is given.</summary>
    internal sealed record Word(string Text, string Tag, double Frequency, double Adjusted)
    {
        /// <summary>How often it is written into the corpus.</summary>
        public int Copies => (int)Math.Round(Adjusted, MidpointRounding.ToEven);
    }
}
