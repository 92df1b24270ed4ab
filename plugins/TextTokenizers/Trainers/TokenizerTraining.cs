using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Decoders;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.Papers;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;
using ModelZoo.Plugins.TextTokenizers.Scanning;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>What is learned.</summary>
public enum TokenizerKind
{
    /// <summary>Byte-level byte pair encoding, as GPT-2 and its successors have it.</summary>
    Bpe,

    /// <summary>The unigram model over words that begin with a mark for the blank, as T5 and others have it.</summary>
    Unigram,

    /// <summary>WordPiece, as BERT has it.</summary>
    WordPiece,

    /// <summary>Byte-level BPE whose later merges cross blanks.</summary>
    SuperBpe,
}

/// <summary>How text is cut before byte-level training.</summary>
public enum TrainingPattern
{
    /// <summary>GPT-2's.</summary>
    Gpt2,

    /// <summary>Llama 3's (cl100k's).</summary>
    Llama3,

    /// <summary>Qwen's: each digit alone.</summary>
    Qwen,

    /// <summary>GPT-4o's: by case, too.</summary>
    O200k,
}

/// <summary>Options of training a tokenizer.</summary>
public sealed record TokenizerTrainingOptions : ModelOptions
{
    /// <summary>What is learned.</summary>
    [Description("What is learned.")]
    public TokenizerKind Kind { get; init; } = TokenizerKind.Bpe;

    /// <summary>Tokens to end with, special ones included.</summary>
    [Description("Tokens to end with, special ones included."), Range(300, 4_000_000)]
    public int VocabSize { get; init; } = 32000;

    /// <summary>Pairs that occur less often are not merged.</summary>
    [Description("Pairs that occur less often are not merged (BPE, WordPiece)."), Range(1, int.MaxValue)]
    public int MinFrequency { get; init; } = 2;

    /// <summary>How text is cut.</summary>
    [Description("How text is cut (BPE).")]
    public TrainingPattern Pattern { get; init; } = TrainingPattern.Gpt2;

    /// <summary>Tokens of SuperBPE's first stage; 0 for four fifths of the vocabulary.</summary>
    [Description("Tokens at which SuperBPE begins to merge across blanks, fewer than vocab_size; 0 for four fifths of it."), Range(0, 4_000_000)]
    public int TransitionSize { get; init; }

    /// <summary>Whether WordPiece takes all in lower case and without accents.</summary>
    [Description("Lower case without accents (WordPiece).")]
    public bool Lowercase { get; init; }

    /// <summary>Special tokens, first in the vocabulary; null for those that are usual.</summary>
    [Description("Special tokens, with commas; without it those that are usual for the kind.")]
    public string[]? SpecialTokens { get; init; }
}

/// <summary>Learns a tokenizer from files of text and writes <c>tokenizer.json</c>.</summary>
internal sealed class TokenizerTraining : ITrain
{
    private const string FileName = "tokenizer.json";
    private const int SpaceMark = '\u2581';
    private const string UnknownWord = "[UNK]";

    public Modality LearnsFrom => Modality.Text;

    public OptionsSchema TrainOptions { get; } = OptionsSchema.Of<TokenizerTrainingOptions>();

    public async ValueTask<TrainingResult> TrainAsync(IReadOnlyList<string> files, string folder, ModelOptions options, IProgress<TrainingProgress> progress, CancellationToken cancel = default)
    {
        var settings = options.Expect<TokenizerTrainingOptions>();
        Check(settings);
        var bytes = files.Sum(file => new FileInfo(file).Length);
        if (bytes == 0) throw new ModelZooException(ErrorCodes.DatasetInvalid, "The corpus holds no text.") { Where = string.Join(", ", files.Take(3)), Remedy = "Give files with text in them." };
        var tokenizer = await Task.Run(() => Train(files, settings, progress, cancel), cancel).ConfigureAwait(false);
        await File.WriteAllBytesAsync(Path.Combine(folder, FileName), TokenizerJson.Write(tokenizer), cancel).ConfigureAwait(false);
        var tokens = tokenizer.Ids.Count();
        return new(ModelId.Parse("text-tokenizers/tokenizer-json"), [FileName])
        {
            Figures =
            [
                new("tokens", tokens < settings.VocabSize ? $"{tokens} (the corpus gives no more)" : $"{tokens}"),
                new("kind", Name(settings.Kind)),
                new("corpus", bytes < 1e6 ? FormattableString.Invariant($"{bytes / 1e3:0.0} kB") : FormattableString.Invariant($"{bytes / 1e6:0.0} MB")),
            ],
        };
    }

    // An option that the kind does not have is refused, not passed over; so are special tokens that could not be told apart or found.
    private static void Check(TokenizerTrainingOptions options)
    {
        var (usual, special) = (new TokenizerTrainingOptions(), options.SpecialTokens);
        Only(options.Lowercase, "lowercase", TokenizerKind.WordPiece);
        Only(options.TransitionSize != usual.TransitionSize, "transition_size", TokenizerKind.SuperBpe);
        Only(options.Pattern != usual.Pattern, "pattern", TokenizerKind.Bpe);
        Only(options.MinFrequency != usual.MinFrequency, "min_frequency", TokenizerKind.Bpe, TokenizerKind.WordPiece);
        if (options.Kind == TokenizerKind.SuperBpe && options.TransitionSize >= options.VocabSize)
            throw new OptionsException(ErrorCodes.OptionRange, "The first stage must end before the vocabulary is full.") { Where = "transition_size", Expected = $"less than {options.VocabSize}", Found = $"{options.TransitionSize}" };
        if (special is null) return;
        if (special.Length != special.Distinct(StringComparer.Ordinal).Count() || special.Contains(""))
            throw new OptionsException(ErrorCodes.OptionRange, "Special tokens are told apart by their text.") { Where = "special_tokens", Expected = "each once, none empty", Found = string.Join(", ", special) };
        if (options.Kind == TokenizerKind.Unigram && special.Length == 0)
            throw new OptionsException(ErrorCodes.OptionRange, "The unigram model needs a token for what it cannot spell.") { Where = "special_tokens", Expected = "at least one; the first is the unknown token", Found = "none" };
        if (options.Kind == TokenizerKind.WordPiece && !special.Contains(UnknownWord))
            throw new OptionsException(ErrorCodes.OptionRange, "WordPiece needs a token for words that it cannot spell.") { Where = "special_tokens", Expected = $"{UnknownWord} among them", Found = string.Join(", ", special) };

        void Only(bool given, string option, params TokenizerKind[] kinds)
        {
            if (!given || kinds.Contains(options.Kind)) return;
            throw new OptionsException(ErrorCodes.OptionRange, "This kind of tokenizer is learned without that option.") { Where = option, Expected = $"kind {string.Join(" or ", kinds.Select(Name))}", Found = $"kind {Name(options.Kind)}" };
        }
    }

    private static string Name(TokenizerKind kind) => JsonNamingPolicy.KebabCaseLower.ConvertName($"{kind}");

    /// <summary>Learns a tokenizer.</summary>
    public static PipelineTokenizer Train(IReadOnlyList<string> files, TokenizerTrainingOptions options, IProgress<TrainingProgress> progress, CancellationToken cancel) => options.Kind switch
    {
        TokenizerKind.Bpe => TrainBytes(files, options, progress, cancel),
        TokenizerKind.SuperBpe => TrainSuper(files, options, progress, cancel),
        TokenizerKind.Unigram => TrainUnigram(files, options, progress, cancel),
        _ => TrainWordPiece(files, options, progress, cancel),
    };

    private static PipelineTokenizer TrainBytes(IReadOnlyList<string> files, TokenizerTrainingOptions options, IProgress<TrainingProgress> progress, CancellationToken cancel)
    {
        var (pattern, expression) = options.Pattern switch
        {
            TrainingPattern.Llama3 => (KnownPattern.Llama3, TiktokenEncodings.Llama3Pattern),
            TrainingPattern.Qwen => (KnownPattern.Qwen, TiktokenEncodings.QwenPattern),
            TrainingPattern.O200k => (KnownPattern.O200k, TiktokenEncodings.O200kPattern),
            _ => (KnownPattern.Gpt2, null),
        };
        var total = (int)(files.Sum(file => new FileInfo(file).Length) >> 10);
        var words = CorpusReader.Count(files, pattern, bytes => progress.Report(new("counting (kB)", (int)(bytes >> 10), total)), cancel);
        var special = options.SpecialTokens ?? ["<|endoftext|>"];
        var trained = BpeTrainer.Train(words, new() { VocabSize = options.VocabSize, MinFrequency = options.MinFrequency, SpecialTokens = special, InitialAlphabet = Alphabet() }, Merging(progress, options.VocabSize), cancel);
        PreTokenizer cut = expression is null
            ? new ByteLevelPreTokenizer(addPrefixSpace: false, trimOffsets: true, useRegex: true)
            : new SequencePreTokenizer([new SplitPreTokenizer(expression, isRegex: true, SplitBehavior.Isolated, invert: false), new ByteLevelPreTokenizer(false, true, useRegex: false)]);
        return new(Bpe(trained), Added(special)) { PreTokenizer = cut, Decoder = new ByteLevelDecoder() };
    }

    private static PipelineTokenizer TrainSuper(IReadOnlyList<string> files, TokenizerTrainingOptions options, IProgress<TrainingProgress> progress, CancellationToken cancel)
    {
        var special = options.SpecialTokens ?? ["<|endoftext|>"];
        var size = options.VocabSize - special.Length;
        progress.Report(new("reading", 0, null));
        var settings = new SuperBpeOptions { TransitionSize = options.TransitionSize > 0 ? options.TransitionSize : size * 4 / 5, VocabSize = size };
        var trained = SuperBpe.Train([.. CorpusReader.Lines(files)], settings, Merging(progress, size), cancel);
        var cut = new SequencePreTokenizer([new SplitPreTokenizer(settings.Stage2Pattern, isRegex: true, SplitBehavior.Isolated, invert: false), new ByteLevelPreTokenizer(false, true, useRegex: false)]);
        return new(Bpe(new([.. trained.Tokens, .. special.Except(trained.Tokens)], trained.Merges)), Added(special)) { PreTokenizer = cut, Decoder = new ByteLevelDecoder() };
    }

    private static PipelineTokenizer TrainUnigram(IReadOnlyList<string> files, TokenizerTrainingOptions options, IProgress<TrainingProgress> progress, CancellationToken cancel)
    {
        var special = options.SpecialTokens ?? ["<unk>", "<s>", "</s>"];
        var pipeline = new TrainingPipeline(new UnicodeFormNormalizer(Unicode.NormalizationForm.Nfkc), new MetaspacePreTokenizer(SpaceMark, PrependScheme.Always, split: true));
        progress.Report(new("counting", 0, null));
        var words = pipeline.Count(CorpusReader.Lines(files).Select(line => line.TrimEnd('\r', '\n')), cancel);
        var trained = UnigramTrainer.Train(words, new() { VocabSize = options.VocabSize, SpecialTokens = special, UnknownToken = special[0] }, new Steps(count => progress.Report(new("pruning (pieces left)", count, null))), cancel);
        var model = new UnigramModel([.. trained.Tokens.Zip(trained.Scores)], 0, byteFallback: false);
        return new(model, Added(special), pipeline.Normalizer) { PreTokenizer = pipeline.PreTokenizer, Decoder = new MetaspaceDecoder(SpaceMark, PrependScheme.Always, split: true) };
    }

    private static PipelineTokenizer TrainWordPiece(IReadOnlyList<string> files, TokenizerTrainingOptions options, IProgress<TrainingProgress> progress, CancellationToken cancel)
    {
        var special = options.SpecialTokens ?? ["[PAD]", UnknownWord, "[CLS]", "[SEP]", "[MASK]"];
        var pipeline = new TrainingPipeline(new BertNormalizer(cleanText: true, handleChineseChars: true, stripAccents: null, lowercase: options.Lowercase), new BertPreTokenizer());
        progress.Report(new("counting", 0, null));
        var words = pipeline.Count(CorpusReader.Lines(files), cancel);
        var trained = BpeTrainer.Train(
            words, new() { VocabSize = options.VocabSize, MinFrequency = options.MinFrequency, SpecialTokens = special, LimitAlphabet = 1000, ContinuingSubwordPrefix = "##" }, Merging(progress, options.VocabSize), cancel);
        return new(new WordPieceModel(Table(trained.Tokens)), Added(special), pipeline.Normalizer) { PreTokenizer = pipeline.PreTokenizer, Decoder = new WordPieceDecoder("##", cleanup: true) };
    }

    private static BpeModel Bpe(TrainedVocabulary trained)
    {
        var ids = trained.Tokens.Select((token, id) => (token, id)).ToDictionary(pair => pair.token, pair => pair.id, StringComparer.Ordinal);
        return new(Table(trained.Tokens), new([.. trained.Merges.Select(merge => (ids[merge.Left], ids[merge.Right], ids[merge.Left + merge.Right]))]), new());
    }

    private static TokenTable Table(IReadOnlyList<string> tokens)
    {
        var table = new TokenTable(tokens.Count);
        for (var id = 0; id < tokens.Count; id++) table.Add(Encoding.UTF8.GetBytes(tokens[id]), id);
        return table;
    }

    private static string[] Alphabet() => [.. Enumerable.Range(0, 256).Select(b => ByteAlphabet.ToCharacter((byte)b).ToString())];

    private static AddedToken[] Added(IEnumerable<string> special) => [.. special.Select(token => new AddedToken(token) { Special = true, Normalized = false })];

    private static Steps Merging(IProgress<TrainingProgress> progress, int size) => new(count => progress.Report(new("merging", count, size)));

    // Reports on the thread that works, unlike Progress<T>.
    private sealed class Steps(Action<int> report) : IProgress<int>
    {
        public void Report(int value) => report(value);
    }
}
