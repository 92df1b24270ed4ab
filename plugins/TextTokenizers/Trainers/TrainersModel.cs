using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>The trainers by the names of their libraries: config.json says which one, with what settings, after which normalizer and pre-tokenizer.</summary>
internal static class TrainersModel
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("trainers", "Neural Machine Translation of Rare Words with Subword Units; Subword Regularization; and the trainers of Hugging Face tokenizers and minbpe", "1508.07909",
            ["Rico Sennrich", "Barry Haddow", "Alexandra Birch"], "huggingface/tokenizers", "Apache-2.0") with { Layouts = ["config.json", "config.json + minbpe.model"] },
        source =>
        {
            // Without a folder there is nothing to reproduce: it learns from files.
            if (source.Folder is null) return new PaperModel(source).With(new TokenizerTraining());
            var config = source.Json("config.json");
            return config.Member("trainer").ValueKind == JsonValueKind.String ? OpenMinBpe(source, config) : OpenLibrary(source, config);
        });

    private static PaperModel OpenLibrary(ModelSource source, JsonElement config)
    {
        var pipeline = new TrainingPipeline(
            ComponentReader.ReadNormalizer(new(config.Find("normalizer") ?? default, "normalizer")),
            ComponentReader.ReadPreTokenizer(new(config.Find("pre_tokenizer") ?? default, "pre_tokenizer")));
        var trainer = config.Member("trainer");
        return new PaperModel(source).On("train", (arguments, cancel) =>
        {
            var lines = arguments.Lines("lines");
            return trainer.Text("type") switch
            {
                "BpeTrainer" => Describe(BpeTrainer.Train(Count(lines), Bpe(trainer, null), cancel: cancel)),
                "WordPieceTrainer" => Describe(BpeTrainer.Train(Count(lines), Bpe(trainer, "##"), cancel: cancel)),
                "WordLevelTrainer" => Describe(WordLevelTrainer.Train(Count(lines), Int(trainer, "vocab_size", 30000), Int(trainer, "min_frequency", 0), List(trainer, "special_tokens"))),
                "UnigramTrainer" => Describe(UnigramTrainer.Train(Count(lines), Unigram(trainer), cancel: cancel)),
                "ParityBpeTrainer" => Describe(Parity(trainer, lines, cancel)),
                var other => throw new CheckpointException(ErrorCodes.ConfigInvalid, $"There is no trainer '{other}'.") { Where = "trainer.type" },
            };

            IReadOnlyList<KeyValuePair<string, long>> Count(IEnumerable<JsonElement> corpus) => pipeline.Count(corpus.Select(line => line.Text("text")), cancel);
        });

        TrainedVocabulary Parity(JsonElement settings, IReadOnlyList<JsonElement> lines, CancellationToken cancel)
        {
            string[] languages = [.. lines.Select(line => line.Text("language")).Distinct()];
            var sets = lines.ToLookup(line => (line.Text("language"), line.Text("set")), line => line.Text("text"));
            var hasDevelopment = lines.Any(line => line.Text("set") != "train");
            return ParityBpeTrainer.Train(
                [.. languages.Select(language => pipeline.Count(sets[(language, "train")], cancel))],
                hasDevelopment ? [.. languages.Select(language => pipeline.Count(sets[(language, "dev")], cancel))] : [],
                new()
                {
                    NumMerges = Int(settings, "num_merges", 32000),
                    Window = settings.Find("variant")?.GetString() == "window",
                    MinFrequency = Int(settings, "min_frequency", 0),
                    Ratio = settings.Find("ratio") is null ? null : settings.Doubles("ratio"),
                    GlobalMerges = Int(settings, "global_merges", 0),
                    WindowSize = Int(settings, "window_size", 100),
                    Alpha = settings.Find("alpha")?.GetDouble() ?? 2,
                    TotalSymbols = settings.Find("total_symbols")?.GetBoolean() ?? false,
                    Symbols = Bpe(settings, null),
                },
                cancel);
        }
    }

    private static PaperModel OpenMinBpe(ModelSource source, JsonElement config)
    {
        var pattern = config.Find("pattern")?.GetString();
        var specials = config.Member("special_tokens").EnumerateObject().ToDictionary(token => token.Name, token => token.Value.GetInt32());
        var bpe = new MinBpe(pattern, specials, Merges(source.Lines("minbpe.model")));
        return new PaperModel(source)
            .On("train", (arguments, cancel) =>
            {
                var text = string.Join('\n', arguments.Lines("lines").Select(line => line.Text("text")));
                return new CallResults().Add("merges", [.. MinBpe.Train(text, pattern, config.Member("vocab_size").GetInt32(), cancel).Select(merge => Line.List(new[] { merge.Left, merge.Right, merge.Merged }))]);
            })
            .OnLines("encode", line =>
            {
                var allowed = line.Option("allowed_special")?.ToString() ?? "none_raise";
                if (allowed == "none_raise" && bpe.HoldsSpecial(line.Text("text"))) return Line.Of(("error", "The text holds a special token."));
                var ids = bpe.Encode(line.Text("text"), allowed == "all");
                return Line.Of(("ids", ids), ("decoded", bpe.Decode(ids)));
            });
    }

    // "minbpe v1", the pattern, the number of special tokens and they, then a pair of ids a line.
    private static IEnumerable<(int Left, int Right)> Merges(string[] lines)
    {
        if (lines.Length < 3 || !lines[0].StartsWith("minbpe", StringComparison.Ordinal)) throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The file is not of minbpe.") { Where = "minbpe.model" };
        var culture = System.Globalization.CultureInfo.InvariantCulture;
        return lines.Skip(3 + int.Parse(lines[2], culture)).Select(line => line.Split(' ')).Select(pair => (int.Parse(pair[0], culture), int.Parse(pair[1], culture)));
    }

    private static BpeTrainerOptions Bpe(JsonElement trainer, string? prefix) => new()
    {
        VocabSize = Int(trainer, "vocab_size", 30000),
        MinFrequency = Int(trainer, "min_frequency", 0),
        SpecialTokens = List(trainer, "special_tokens"),
        InitialAlphabet = List(trainer, "initial_alphabet"),
        LimitAlphabet = trainer.Find("limit_alphabet")?.GetInt32(),
        ContinuingSubwordPrefix = trainer.Find("continuing_subword_prefix")?.GetString() ?? prefix,
        EndOfWordSuffix = trainer.Find("end_of_word_suffix")?.GetString(),
        MaxTokenLength = trainer.Find("max_token_length")?.GetInt32(),
    };

    private static UnigramTrainerOptions Unigram(JsonElement trainer) => new()
    {
        VocabSize = Int(trainer, "vocab_size", 8000),
        SubIterations = Int(trainer, "n_sub_iterations", 2),
        ShrinkingFactor = trainer.Find("shrinking_factor")?.GetDouble() ?? 0.75,
        SpecialTokens = List(trainer, "special_tokens"),
        InitialAlphabet = List(trainer, "initial_alphabet"),
        UnknownToken = trainer.Find("unk_token")?.GetString(),
        MaxPieceLength = Int(trainer, "max_piece_length", 16),
        SeedSize = Int(trainer, "seed_size", 1_000_000),
    };

    private static CallResults Describe(TrainedVocabulary trained)
    {
        var results = new CallResults().Add("vocabulary", [.. trained.Tokens.Select((token, id) => trained.Scores.Count == 0 ? Line.Of(("id", id), ("token", token)) : Line.Of(("id", id), ("token", token), ("score", trained.Scores[id])))]);
        return results.Add("merges", [.. trained.Merges.Select(merge => Line.List(new[] { merge.Left, merge.Right }))]);
    }

    private static int Int(JsonElement trainer, string key, int otherwise) => trainer.Find(key)?.GetInt32() ?? otherwise;

    private static string[] List(JsonElement trainer, string key) => trainer.Find(key) is null ? [] : trainer.Texts(key);
}
