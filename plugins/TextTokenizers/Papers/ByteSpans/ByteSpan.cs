// ByteSpan: Information-Driven Subword Tokenisation. Goriely, Salhan, Lesci, Cheng, Buttery. arXiv:2506.18639. github.com/codebyzeb/infotokenization (commands/tokenizers.py)
// Published layout: the byte-level tokenizer.json that training starts from; a signal (surprisal or entropy) comes with each byte. Deviations: the byte language model that gives the signal is not here; letters are numbered by id, where the authors' code has the order of a hash map.
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers.ByteSpans;

/// <summary>A text's byte ids, where pre-tokens begin among them, and the signal at each.</summary>
internal sealed record SignalText(int[] Ids, bool[] Starts, double[] Signal)
{
    /// <summary>Places where pre-tokens begin.</summary>
    public IEnumerable<int> PreTokens => Enumerable.Range(0, Starts.Length).Where(i => Starts[i]);
}

/// <summary>Runs of predictable bytes become the vocabulary of a WordPiece-like tokenizer.</summary>
internal sealed class ByteSpan(PipelineTokenizer bytes)
{
    /// <summary>Marks a piece that does not begin a pre-token.</summary>
    public const string Continuation = "##";

    private const string Padding = "<|padding|>", EndOfText = "<|endoftext|>", Unknown = "<|unk|>";
    private const int LongestPreToken = 100;

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("bytespan", "ByteSpan: Information-Driven Subword Tokenisation", "2506.18639", ["Zébulon Goriely", "Suchir Salhan", "Pietro Lesci", "Julius Cheng", "Paula Buttery"], "codebyzeb/infotokenization", "none stated")
            with { Layouts = ["tokenizer.json"], Deviations = "The byte language model that gives the signal is not part of it. Letters are numbered by id; the authors' code numbers them as a hash map shows them, another way in each run." },
        source =>
        {
            var bytes = new TokenizerSet(source)["tokenizer.json"];
            var span = new ByteSpan(bytes);
            IReadOnlyDictionary<string, int> vocabulary = new Dictionary<string, int>();
            return new PaperModel(source)
                .On("train", (arguments, cancel) =>
                {
                    var texts = arguments.Lines("lines").Select(line => span.Read(line.Text("text"), line.Doubles("signal"))).ToList();
                    var size = arguments.Literal<int>("vocab_size");
                    _ = arguments.Literal("measure", "Entropy");
                    (IReadOnlyList<List<(int Start, int Length)>>? Spans, List<string> Tokens) trained = arguments.Literal<string>("method") == "global"
                        ? (null, new GlobalSpans(span, texts, arguments.Literal("frequency_threshold", 20)).Train(size, cancel))
                        : new CurveSpans(span, texts, arguments.Has("threshold_percentile") ? arguments.Literal<double>("threshold_percentile") : null).Train(size, arguments.Literal("proportion_bytespan", 1.0), cancel);
                    var (spans, tokens) = trained;
                    // What is trained is what encode uses from now on.
                    vocabulary = tokens.Select((token, id) => (token, id)).ToDictionary(pair => pair.token, pair => pair.id);
                    return new CallResults()
                        .Add("spans", [.. texts.Select((text, i) => spans is null
                            ? Line.Of(("ids", text.Ids), ("pre_token_starts", text.PreTokens))
                            : Line.Of(("ids", text.Ids), ("pre_token_starts", text.PreTokens), ("spans", spans[i].Select(span => new[] { span.Start, span.Length }))))])
                        .Add("vocab", [.. tokens.Select((token, id) => Line.Of(("token", token), ("id", id)))]);
                })
                .OnLines("encode", line =>
                {
                    if (vocabulary.Count == 0) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Nothing is trained yet.") { Expected = "the call 'train' before" };
                    var tokens = span.Encode(line.Text("text"), vocabulary);
                    return Line.Of(("ids", tokens.Select(token => vocabulary[token])), ("tokens", tokens));
                })
                .Tokenizes(bytes);
        });

    /// <summary>Letters of the byte vocabulary, by id.</summary>
    public IReadOnlyList<string> Letters { get; } = [.. bytes.Ids.Select(id => bytes.TokenOf(id)!)];

    /// <summary>The id of the byte of a blank.</summary>
    public int Space { get; } = bytes.IdOf("\u0120") ?? throw new CheckpointException(ErrorCodes.ConfigInvalid, "The byte tokenizer has no blank.");

    /// <summary>True for ids that are no bytes.</summary>
    public bool IsSpecial(int id) => Letters[id] is Padding or EndOfText or Unknown;

    /// <summary>The id of the end of text.</summary>
    public int EndOfTextId => bytes.IdOf(EndOfText) ?? 1;

    /// <summary>The token of a span of bytes.</summary>
    public string Token(ReadOnlySpan<int> ids, bool isStart)
    {
        var text = new System.Text.StringBuilder(isStart ? "" : Continuation);
        foreach (var id in ids) text.Append(Letters[id]);
        return text.ToString();
    }

    /// <summary>Tokens before any span: the byte letters, at word starts and inside.</summary>
    public List<string> InitialVocabulary(bool lettersWithBlank)
    {
        var space = Letters[Space];
        List<string> tokens = lettersWithBlank ? [.. Letters, Unknown] : [Padding, EndOfText];
        foreach (var letter in Letters.Where(letter => letter is not (Padding or EndOfText or Unknown)))
        {
            if (letter != space && (lettersWithBlank || char.IsLetter(letter, 0))) tokens.Add(space + letter);
            if (!lettersWithBlank) tokens.Add(letter);
            tokens.Add(Continuation + letter);
        }

        if (!lettersWithBlank) tokens.Add(Unknown);
        return [.. tokens.Distinct()];
    }

    /// <summary>A text as bytes with their signal.</summary>
    public SignalText Read(string text, double[] signal)
    {
        var encoding = bytes.EncodePlain(text);
        var starts = new bool[encoding.Count];
        for (var i = 0; i < starts.Length; i++) starts[i] = i == 0 || encoding.WordIds[i] != encoding.WordIds[i - 1];
        if (signal.Length != starts.Length)
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "Each byte of the text needs its signal.") { Where = text.Length > 80 ? text[..80] : text, Expected = $"{starts.Length}", Found = $"{signal.Length}" };
        return new([.. encoding.Ids], starts, signal);
    }

    /// <summary>Longest prefixes within each pre-token; one that cannot be spelled is unknown as a whole.</summary>
    public List<string> Encode(string text, IReadOnlyDictionary<string, int> vocabulary) => [.. bytes.PreTokenizer!.PreTokenize(text).SelectMany(piece => Pieces(piece.Text, vocabulary))];

    private static List<string> Pieces(string word, IReadOnlyDictionary<string, int> vocabulary)
    {
        var pieces = new List<string>();
        if (word.Length > LongestPreToken) return [Unknown];
        for (var start = 0; start < word.Length;)
        {
            var end = word.Length;
            string Piece() => start == 0 ? word[..end] : Continuation + word[start..end];
            while (end > start && !vocabulary.ContainsKey(Piece())) end--;
            if (end == start) return [Unknown];
            pieces.Add(Piece());
            start = end;
        }

        return pieces;
    }
}
