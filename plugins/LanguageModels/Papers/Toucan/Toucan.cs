// Toucan: Token-Aware Character Level Language Modeling. Fleshman, Van Durme. arXiv:2311.08620. The authors' code (wfleshman/toucan: hourglass.py, generate.py) is a fork of PiotrNawrot/dynamic-pooling.
// Published layouts: config.json (the model's arguments) + model.safetensors or a state dict (model_state, module.*), with vocab.json: the corpus' characters in the order of their ids. Without it ids are bytes, where there are enough.
// Deviations: boundaries are drawn, as published, only where a call gives the uniform numbers of the draws; else a boundary is where its probability is above one half. The end of a token before the very first character
// takes the null group's state, where the published code takes that of the last character, which is a leak. Measured texts begin behind a blank, which separates the texts of the authors' corpora.
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The published configuration: that of the hourglass, and whether tokens have ends.</summary>
public sealed record ToucanConfig : HourglassConfig
{
    /// <summary>The authors' sizes, on text8.</summary>
    public ToucanConfig() => (NToken, NHead, DModel, DInner, ModelConfig) = (27, 8, 512, 2048, "[2, (8,), 2]");

    /// <summary>Whether tokens have ends, and the last layers take characters from the table; without, the model is the dynamic-pooling baseline.</summary>
    public bool AddEot { get; init; } = true;
    /// <summary>Share of boundaries that the predictor is taught (<c>gumbel</c>).</summary>
    [Range(1e-9, 1 - 1e-9)] public double Prior { get; init; } = 0.1;

    /// <summary>Ids of table and output: the characters, and the end of a token.</summary>
    internal int Ids => NToken + (AddEot ? 1 : 0);

    /// <summary>Published name of the predictor; null where a rule decides.</summary>
    internal string? Predictor => Predicts ? "boundary_predictor" : null;

    /// <summary>Whether a place is a boundary, where that is not predicted.</summary>
    internal bool IsBoundary(int place, int id, int? blank) => BoundariesType == "whitespaces" ? id == blank : place % (FixedSf ?? 2) == 0;
}

/// <summary>Characters in; learned tokens, bits and more characters out, a whole token for each run of the middle layers.</summary>
public sealed class ToucanModel : IModel, ITokenize<Text, NoOptions>, IGenerate<Text, TextGenerationOptions>, IEvaluate, IReferenceCalls
{
    private const string Blank = " ", VocabularyFile = "vocab.json";
    private readonly string _id;
    private readonly Checkpoint _checkpoint;
    private readonly ToucanConfig _config;
    private readonly Hourglass _hourglass;
    private readonly CharacterVocabulary? _vocabulary;
    private readonly Tensor<float> _table;

    private ToucanModel(ModelSource source, Checkpoint checkpoint, NetworkContext context)
    {
        var folder = source.RequireFolder();
        _id = source.Id.ToString();
        _checkpoint = checkpoint;
        _config = PublishedConfig.Read<ToucanConfig>(folder).Value;
        _hourglass = new(context, _config, _config.Ids, _config.Predictor is { } predictor ? [predictor] : []);
        _table = Tensor.Create(Hourglass.Numbers(context.Weights, "word_emb.weight"), _config.Ids, _config.DModel);
        _vocabulary = Vocabulary(Path.Combine(folder, VocabularyFile), _config.NToken);
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "language-models/toucan",
            Paper = "Toucan: Token-Aware Character Level Language Modeling",
            ArXiv = "2311.08620",
            Authors = ["William Fleshman", "Benjamin Van Durme"],
            Repository = "wfleshman/toucan",
            CodeLicense = "not known",
            Inputs = [Modality.Text],
            Outputs = [Modality.Text],
            Layouts = ["config.json + vocab.json + model.safetensors", "config.json + vocab.json + a state dict (model_state)"],
            Sizes = [new("toucan (x10), text8", 42_064_669, [])],
            Deviations = "Boundaries are drawn only where a call gives the draws' uniform numbers; else they are where the probability is above one half. A token's end before the first character takes the null group's state.",
        },
        (source, _) =>
        {
            var checkpoint = source.OpenCheckpoint("model_state", "state_dict");
            return ValueTask.FromResult<IModel>(new ToucanModel(source, checkpoint, NetworkContext.Of(source, new KeyMap((@"^module\.", "")).Apply(checkpoint))));
        });

    /// <inheritdoc/>
    public ModelFacts Facts => LanguageFacts.Of(_checkpoint, _hourglass.Networks, new KeyValuePair<string, string>("characters", $"{_config.NToken}")) with
    { Lacks = _vocabulary is null ? $"The folder has no {VocabularyFile}, the corpus' characters in the order of their ids." : null };

    /// <inheritdoc/>
    public TokenSpace? Space => _vocabulary?.Space(_id);

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Text;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ByteMetrics.Names;

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<ByteEvaluationOptions>();

    /// <summary>The networks, for tests.</summary>
    internal Hourglass Hourglass => _hourglass;

    /// <summary>The table of characters, the end of a token last (ids, D); for tests.</summary>
    internal Tensor<float> Table => _table;

    private CharacterVocabulary Characters => _vocabulary ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "The model's characters are not known.") { Expected = $"{VocabularyFile}: a list of {_config.NToken} characters in the order of their ids" };

    /// <inheritdoc/>
    public async ValueTask<Tokens> TokenizeAsync(Text media, NoOptions options, CancellationToken cancel = default)
    {
        var ids = Characters.Encode(media.Value);
        var boundaries = ids.Length == 0 ? [] : (await Reader().ReadAsync(ids, cancel).ConfigureAwait(false)).Boundaries;
        return PieceTokens.OfCharacters(Space!, media.Value, ids, [.. ids.Select(id => Characters.BytesOf(id).Length)], TokenLengths(boundaries));
    }

    /// <inheritdoc/>
    public ValueTask<Text> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default) => ValueTask.FromResult(new Text(Characters.Decode(tokens.Expect(Space!).Ids.Span)));

    /// <inheritdoc/>
    public IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, TextGenerationOptions options, ulong seed, CancellationToken cancel = default)
    {
        var text = ByteGeneration.TextOf(prompt);
        return ByteGeneration.StreamAsync(Begin(), Characters.BytesOf, null, Characters.Encode(text.Length > 0 ? text : Blank), options, seed, cancel);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var context = options.Expect<ByteEvaluationOptions>().Context;
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var (bits, lengths) = (new List<double>(), new List<long>());
            foreach (var ids in Characters.Encode(example.Media.Expect<Text>().Value).Chunk(context))
            {
                var (measured, boundaries) = await MeasureAsync(ids, cancel).ConfigureAwait(false);
                var widths = ids.Select(id => Characters.BytesOf(id).Length).ToArray();
                // The bits of a character are told of its last byte.
                for (var t = 0; t < ids.Length; t++) bits.AddRange(Enumerable.Repeat(0.0, widths[t] - 1).Append(measured[t]));
                var first = 0;
                foreach (var length in TokenLengths(boundaries))
                {
                    lengths.Add(widths.AsSpan(first, length).ToArray().Sum());
                    first += length;
                }
            }

            yield return ByteEvaluation.Observe(example, bits, lengths);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => call switch
    {
        "forward" => await new ToucanForward(_hourglass, _config, _table).RunAsync(arguments, Blanks, cancel).ConfigureAwait(false),
        "generate_next" when _config.AddEot => await GenerateNextAsync(arguments, cancel).ConfigureAwait(false),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"Toucan has no call '{call}' here.") { Expected = "forward, generate_next (with add_eot)" },
    };

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _hourglass.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>The model at the beginning of a text.</summary>
    internal ITokenModel Begin() => _config.AddEot ? Stream() : new HourglassByteModel(_hourglass, Reader());

    private int? Blanks => _vocabulary?.Find(Blank);

    private ToucanStream Stream() => new(_hourglass, Reader(), _table, _config.NToken);

    private HourglassReader Reader() => new(_hourglass, _config.Predictor, (place, id) => _config.IsBoundary(place, id, Blanks));

    // A character at a boundary begins a token.
    private static List<int> TokenLengths(ReadOnlySpan<bool> boundaries)
    {
        var (lengths, open) = (new List<int>(), 0);
        foreach (var begins in boundaries)
        {
            if (begins && open > 0)
            {
                lengths.Add(open);
                open = 0;
            }

            open++;
        }

        if (open > 0) lengths.Add(open);
        return lengths;
    }

    // Bits of each character behind a blank; those of the end of a token belong to the character that comes next.
    private async Task<(double[] Bits, bool[] Boundaries)> MeasureAsync(int[] ids, CancellationToken cancel)
    {
        int[] given = [Blanks ?? 0, .. ids];
        if (!_config.AddEot)
        {
            var read = await Reader().ReadAsync(given, cancel).ConfigureAwait(false);
            var (outputs, _) = await _hourglass.Decoder.RunAsync(("x", HourglassByteModel.Add(read.States, read.Hidden)), _hourglass.Decoder.Begin(), cancel).ConfigureAwait(false);
            return (ByteEvaluation.Bits(outputs["logits"], ids), read.Boundaries[1..]);
        }

        var (logits, boundaries, places) = await Stream().ReadAsync(given, cancel).ConfigureAwait(false);
        var targets = new int[(int)logits.Shape[1]];
        Array.Fill(targets, _config.NToken);
        for (var t = 1; t < given.Length; t++) targets[places[t] - 1] = given[t];
        var bits = ByteEvaluation.Bits(logits, targets);
        return ([.. Enumerable.Range(1, ids.Length).Select(t => bits[places[t - 1]..places[t]].Sum())], boundaries[1..]);
    }

    // The authors' greedy loop: the prompt's last token is ended, and so many further ones are written.
    private async Task<CallResults> GenerateNextAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (data, tokens) = (arguments.Tensor<long>("data"), arguments.Literal("num_tokens", 1));
        var limit = arguments.Literal("max_characters", 4096);
        var (stream, written, next, ends) = (Stream(), new List<long>(), Array.ConvertAll(data.Span.ToArray(), id => (int)id), 0);
        for (var isFirst = false; ;)
        {
            var logits = await stream.AppendAsync(Tensor.Create(next, 1, next.Length), cancel).ConfigureAwait(false);
            var id = LogitProcessing.ArgMax(logits.Span);
            // What follows the end of a token is a character of the next, even where it is the end's own id.
            if (id == _config.NToken && !isFirst)
            {
                if (++ends > tokens) break;
                isFirst = true;
            }
            else
            {
                if (written.Count == limit) throw new ModelZooException(ErrorCodes.VerbUnsupported, "The tokens do not end.") { Where = "num_tokens", Expected = $"{tokens} tokens within {limit} characters" };
                written.Add(id);
                isFirst = false;
            }

            next = [id];
        }

        return new CallResults().Return(Tensor.Create(written.ToArray(), written.Count));
    }

    private static CharacterVocabulary? Vocabulary(string file, int size)
    {
        if (File.Exists(file)) return CharacterVocabulary.OfFile(file, size);
        return size >= 256 ? CharacterVocabulary.OfBytes(size) : null;
    }
}
