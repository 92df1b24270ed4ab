// Learn Your Tokens: Word-Pooled Tokenization for Language Modeling. Thawani, Ghanekar, Zhu, Pujara. arXiv:2310.11628. github.com/avi-jit/eTok (newmodel.py: myGPT)
// Published layouts: config.json (the hyper-parameters, with vocab for characters) + model.safetensors, or a Lightning checkpoint (state_dict).
// Deviations: words longer than the canvas are cut into several, which the authors truncate. The verbs begin texts behind a full stop, as words are predicted from those before them, and go on from the last half of the words
// where a text outgrows the block. They take bases char and byte; sub and word need the authors' tokenizers.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The published hyper-parameters of myGPT.</summary>
public sealed record LearnYourTokensConfig
{
    /// <summary>Vectors of a word; none for the baselines, which have no words.</summary>
    [Range(0, 1024)] public int NumPrefix { get; init; }
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int NEmbd { get; init; } = 768;
    /// <summary>Longest sequence, in words (or in ids, without prefixes).</summary>
    [Range(1, 1 << 20)] public int BlockSize { get; init; } = 128;
    /// <summary>Heads of the main layers and of those that spell.</summary>
    [Range(1, 1024)] public int NHead { get; init; } = 4;
    /// <summary>Main layers.</summary>
    [Range(0, 1024)] public int NLayer { get; init; } = 12;
    /// <summary>Heads of the word encoder.</summary>
    [Range(1, 1024), JsonPropertyName("n_e2e_head")] public int NE2eHead { get; init; } = 4;
    /// <summary>Layers of the word encoder, and of those that spell.</summary>
    [Range(0, 1024), JsonPropertyName("n_e2e_layer")] public int NE2eLayer { get; init; } = 2;
    /// <summary>What ids stand for.</summary>
    [AllowedValues("char", "byte", "sub", "word")] public string Base { get; init; } = "char";
    /// <summary>Characters of the longest word.</summary>
    [Range(1, 1 << 20)] public int CanvasSize { get; init; } = 12;
    /// <summary>Ids of characters; bytes have those of ByT5.</summary>
    public JsonElement? Vocab { get; init; }
}

/// <summary>Options of dividing a text into words.</summary>
public sealed record LearnYourTokensOptions : ModelOptions
{
    /// <summary>Whether punctuation is set apart.</summary>
    [Description("Set punctuation apart as words of its own, as the authors' data has it.")]
    public bool Punctuation { get; init; } = true;
}

/// <summary>Text in; words, bits of their characters and further words out.</summary>
public sealed class LearnYourTokensModel : IModel, ITokenize<Text, LearnYourTokensOptions>, IGenerate<Text, TextGenerationOptions>, IEvaluate, IReferenceCalls
{
    private readonly string _id;
    private readonly Checkpoint _checkpoint;
    private readonly LearnYourTokensConfig _config;
    private readonly CharacterVocabulary? _vocabulary;
    private readonly NetworkCache<int> _words;
    private readonly Network _spell;

    private LearnYourTokensModel(ModelSource source, Checkpoint checkpoint, NetworkContext context)
    {
        var folder = source.RequireFolder();
        _id = source.Id.ToString();
        _checkpoint = checkpoint;
        _config = PublishedConfig.Read<LearnYourTokensConfig>(folder).Value;
        var ids = (int)checkpoint.Get("head.weight").Shape[0];
        _vocabulary = _config.Base == "byte" ? CharacterVocabulary.OfBytes(ids) : _config is { Base: "char", Vocab: { ValueKind: JsonValueKind.Array or JsonValueKind.Object } vocab } ? CharacterVocabulary.OfJson(vocab, $"{folder}: vocab", ids) : null;
        _words = new(canvas => Network.Build(context, "words", scope => LearnYourTokensNetwork.Words(scope, _config, ids, canvas)));
        _spell = HasWords ? Network.Build(context, "spelling", scope => LearnYourTokensNetwork.Spell(scope, _config, ids)) : Network.Build(context, "characters", scope => LearnYourTokensNetwork.Plain(scope, _config, ids));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "language-models/learn-your-tokens",
            Paper = "Learn Your Tokens: Word-Pooled Tokenization for Language Modeling",
            ArXiv = "2310.11628",
            Authors = ["Avijit Thawani", "Saurabh Ghanekar", "Xiaoyuan Zhu", "Jay Pujara"],
            Repository = "avi-jit/eTok",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Text],
            Layouts = ["config.json + model.safetensors", "config.json + a Lightning checkpoint (state_dict)"],
            Sizes = [new("unitrain.py: bytes, 4 prefixes, words of 12", 38_757_376, [])],
            Deviations = "Words longer than the canvas are cut into several. Texts begin behind a full stop, and go on from the last half of their words where they outgrow the block.",
        },
        (source, _) =>
        {
            var checkpoint = source.OpenCheckpoint("state_dict");
            return ValueTask.FromResult<IModel>(new LearnYourTokensModel(source, checkpoint, NetworkContext.Of(source, checkpoint)));
        });

    /// <inheritdoc/>
    public ModelFacts Facts => LanguageFacts.Of(_checkpoint, _words.Built.Append(_spell), new KeyValuePair<string, string>("base", _config.Base), new KeyValuePair<string, string>("vectors of a word", $"{_config.NumPrefix}")) with
    { Lacks = _vocabulary is null ? $"The verbs take models of characters or bytes, not of base {_config.Base}; those of characters have their vocabulary in config.json." : null };

    /// <inheritdoc/>
    public TokenSpace? Space => _vocabulary?.Space(_id);

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Text;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => HasWords ? [.. ByteMetrics.Names, WordMetrics.NextWordAccuracy.Name] : [ByteMetrics.BitsPerByte.Name];

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<LearnYourTokensOptions>();

    private bool HasWords => _config.NumPrefix > 0;

    private CharacterVocabulary Characters => _vocabulary ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, "The model's ids are not those of characters.") { Where = "base", Expected = "byte, or char with vocab", Found = _config.Base };

    // Padding where the vocabulary has no full stop: an empty word.
    private int[] First => Characters.Find(".") is { } stop ? [stop] : [];

    /// <inheritdoc/>
    public ValueTask<Tokens> TokenizeAsync(Text media, LearnYourTokensOptions options, CancellationToken cancel = default)
    {
        var (ids, words) = SpelledWords.Of(media.Value, Characters, _config.CanvasSize, options.Punctuation);
        var counts = HasWords ? words.Select(word => word.Length + word.Tail).ToArray() : [.. Enumerable.Repeat(1, ids.Length)];
        return ValueTask.FromResult(PieceTokens.OfCharacters(Space!, media.Value, ids, [.. ids.Select(id => Characters.BytesOf(id).Length)], counts));
    }

    /// <inheritdoc/>
    public ValueTask<Text> DetokenizeAsync(Tokens tokens, LearnYourTokensOptions options, CancellationToken cancel = default) => ValueTask.FromResult(new Text(Characters.Decode(tokens.Expect(Space!).Ids.Span)));

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, TextGenerationOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var (ids, words) = SpelledWords.Of(ByteGeneration.TextOf(prompt), Characters, _config.CanvasSize, punctuation: true);
        if (!HasWords)
        {
            using var plain = new PlainStream(_spell, _config.BlockSize);
            await foreach (var step in ByteGeneration.StreamAsync(plain, Characters.BytesOf, null, ids.Length > 0 ? ids : [Characters.Find(" ") ?? 0], options, seed, cancel).ConfigureAwait(false)) yield return step;
            yield break;
        }

        // The prompt's last word may go on, unless white space is behind it.
        var given = words.SelectMany((word, i) => ids[word.Start..(word.Start + word.Length)].Concat(i + 1 < words.Count || word.Tail > 0 ? [WordStream.EndOfWord] : [])).ToArray();
        using var stream = Begin();
        byte[] BytesOf(int id) => id == WordStream.EndOfWord ? " "u8.ToArray() : Characters.BytesOf(id);
        await foreach (var step in ByteGeneration.StreamAsync(stream, BytesOf, null, given.Length > 0 ? given : [WordStream.EndOfWord], options, seed, cancel).ConfigureAwait(false)) yield return step;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var punctuation = options.Expect<LearnYourTokensOptions>().Punctuation;
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var (ids, words) = SpelledWords.Of(example.Media.Expect<Text>().Value, Characters, _config.CanvasSize, punctuation);
            var widths = ids.Select(id => Characters.BytesOf(id).Length).ToArray();
            var measured = HasWords ? await MeasureAsync(ids, words, cancel).ConfigureAwait(false) : new(await MeasureAsync(ids, cancel).ConfigureAwait(false), [], []);
            // The bits of a character are told of its last byte.
            var bits = widths.SelectMany((width, i) => Enumerable.Repeat(0.0, width - 1).Append(measured.Bits[i])).ToList();
            var lengths = words.Where(_ => HasWords).Select(word => (long)widths.AsSpan(word.Start, word.Length + word.Tail).ToArray().Sum()).ToList();
            var observation = ByteEvaluation.Observe(example, bits, lengths);
            yield return HasWords ? WordMetrics.Of(observation, measured.Hits, measured.Words) : observation;
        }
    }

    /// <inheritdoc/>
    public ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => call switch
    {
        "forward" when HasWords => new LearnYourTokensCalls(_config, _words, _spell).ForwardAsync(arguments, cancel),
        "validation_step" when HasWords => new LearnYourTokensCalls(_config, _words, _spell).LastWordAsync(arguments, cancel),
        "forward" => new LearnYourTokensCalls(_config, _words, _spell).PlainAsync(arguments, cancel),
        "generate" when !HasWords => new LearnYourTokensCalls(_config, _words, _spell).GenerateAsync(arguments, cancel),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"The model has no call '{call}' here.") { Expected = HasWords ? "forward, validation_step" : "forward, generate" },
    };

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _words.Dispose();
        _spell.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>The model at the beginning of a text.</summary>
    internal WordStream Begin() => new(_words[_config.CanvasSize], _spell, Characters.Size, _config.CanvasSize, _config.BlockSize, First);

    private sealed record MeasuredWords(double[] Bits, bool[] Hits, string[] Words);

    // Each word given those before it in its stretch, of as many words as the main layers take. The bits of a word's end belong to what comes behind it.
    private async Task<MeasuredWords> MeasureAsync(int[] ids, IReadOnlyList<SpelledWord> words, CancellationToken cancel)
    {
        var (bits, hits) = (new double[ids.Length], new List<bool>());
        var spelled = words.Where(word => word.Length > 0).ToArray();
        int[][] all = [First, .. spelled.Select(word => ids[word.Start..(word.Start + word.Length)])];
        for (var start = 0; start < spelled.Length; start += _config.BlockSize)
        {
            var count = Math.Min(_config.BlockSize, spelled.Length - start);
            var (canvas, lengths) = WordStream.Canvas(all[start..(start + count)], _config.CanvasSize);
            using var past = _words[_config.CanvasSize].Begin(1);
            var net = (await past.StepAsync(cancel, ("idx", canvas), ("mask", lengths)).ConfigureAwait(false))["net"];
            var next = WordStream.Canvas(all[(start + 1)..(start + count + 1)], _config.CanvasSize).Ids.Reshape(count, _config.CanvasSize);
            var logits = (await _spell.RunAsync(cancel, ("net", net.Reshape(count, net.Shape[2], net.Shape[3])), ("idx", next)).ConfigureAwait(false))["logits"];
            for (var i = 0; i < count; i++)
            {
                var (word, isHit) = (spelled[start + i], true);
                int[] targets = word.Length < _config.CanvasSize ? [.. all[start + i + 1], WordStream.EndOfWord] : all[start + i + 1];
                var row = ByteEvaluation.Bits(logits.Slice(i), targets);
                for (var c = 0; c < targets.Length; c++)
                {
                    isHit &= LogitProcessing.ArgMax(logits.Place(i, c)) == targets[c];
                    if (word.Start + c < bits.Length) bits[word.Start + c] += row[c];
                }

                hits.Add(isHit);
            }
        }

        return new(bits, [.. hits], [.. all[1..].Select(word => Characters.Decode(word))]);
    }

    private async Task<double[]> MeasureAsync(int[] ids, CancellationToken cancel)
    {
        var bits = new List<double>(ids.Length);
        foreach (var part in ids.Chunk(_config.BlockSize))
        {
            long[] given = [Characters.Find(" ") ?? 0, .. part.Select(id => (long)id)];
            using var past = _spell.Begin(1);
            var logits = (await past.StepAsync(cancel, ("idx", Tensor.Create(given[..^1], 1, part.Length))).ConfigureAwait(false))["logits"];
            bits.AddRange(ByteEvaluation.Bits(logits, part));
        }

        return [.. bits];
    }
}
