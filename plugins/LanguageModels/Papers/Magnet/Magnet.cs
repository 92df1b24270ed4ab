// MAGNET: Improving the Multilingual Fairness of Language Models with Adaptive Gradient-Based Tokenization. Ahia, Kumar, Gonen, Hofmann, Limisiewicz, Tsvetkov, Smith. arXiv:2407.08818. github.com/orevaahia/magnet-tokenization
// Published layouts: config.json (the training arguments) + model.pth ("model"), or a safetensors file; with score.weight beside memtransformer.* the classifier of src/magnet.py.
// Deviations: boundaries are drawn, as published, only where a call gives the uniform numbers of the draws; else a boundary is where its probability is above one half. The verbs begin each text with </s>, which the authors'
// corpora have between lines, and choose the script by the letters of the text unless it is named.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The training arguments that the authors save: those of the hourglass, and the scripts.</summary>
public sealed record MagnetConfig : HourglassConfig
{
    private const int FirstScript = 259;

    /// <summary>Share of boundaries that each script's predictor is taught.</summary>
    [MinLength(1)] public Dictionary<string, double> AllScriptIdsDict { get; init; } = new() { ["latin"] = 0.2, ["deva"] = 0.08, ["cyrl"] = 0.1 };
    /// <summary>Name of the script that each id before a sequence stands for.</summary>
    public Dictionary<string, string> ScriptToId { get; init; } = [];
    /// <summary>Classes of the classifier.</summary>
    [Range(1, 1 << 20)] public int? NumLabels { get; init; }

    /// <summary>Names of the scripts, each with a boundary predictor of its own.</summary>
    internal IReadOnlyList<string> Scripts => [.. AllScriptIdsDict.Keys];

    /// <summary>The script of an id; the ids follow those of the bytes where the file has none.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.TensorType"/>: there is none.</exception>
    internal string ScriptOf(long id)
    {
        if (ScriptToId.TryGetValue(id.ToString(System.Globalization.CultureInfo.InvariantCulture), out var script)) return script;
        if (ScriptToId.Count == 0 && id - FirstScript is >= 0 and var place && place < Scripts.Count) return Scripts[(int)place];
        throw new ModelZooException(ErrorCodes.TensorType, "A sequence begins with an id that is no script's.") { Where = "input_ids", Expected = string.Join(", ", ScriptToId.Select(pair => $"{pair.Key} ({pair.Value})")), Found = $"{id}" };
    }

    /// <summary>Published name of a script's predictor.</summary>
    internal static string Predictor(string script) => $"script_to_bp_layers.{script}";
}

/// <summary>Options of segmenting a text.</summary>
public sealed record MagnetTokenizeOptions : ModelOptions
{
    /// <summary>Script.</summary>
    [Description("Script whose boundary predictor is used; auto goes by the letters of the text.")]
    public string Script { get; init; } = MagnetScripts.Auto;
}

/// <summary>Options of continuing a text.</summary>
public sealed record MagnetGenerateOptions : TextGenerationOptions
{
    /// <summary>Script.</summary>
    [Description("Script whose boundary predictor is used; auto goes by the letters of the prompt.")]
    public string Script { get; init; } = MagnetScripts.Auto;
}

/// <summary>Options of measuring texts.</summary>
public sealed record MagnetEvaluateOptions : ByteEvaluationOptions
{
    /// <summary>Script.</summary>
    [Description("Script whose boundary predictor is used; auto goes by the letters of each text.")]
    public string Script { get; init; } = MagnetScripts.Auto;
}

/// <summary>Bytes in; segments, bits and more bytes out, each script by a boundary predictor of its own.</summary>
public sealed class MagnetModel : IModel, ITokenize<Text, MagnetTokenizeOptions>, IGenerate<Text, MagnetGenerateOptions>, IEvaluate, IReferenceCalls
{
    private const string Classifier = "memtransformer";
    private readonly string _id;
    private readonly Checkpoint _checkpoint;
    private readonly MagnetConfig _config;
    private readonly Hourglass _hourglass;
    private readonly Network? _score;
    private readonly ByteVocabulary _vocabulary;

    private MagnetModel(ModelSource source, Checkpoint checkpoint, NetworkContext context)
    {
        var folder = source.RequireFolder();
        _id = source.Id.ToString();
        _checkpoint = checkpoint;
        _config = PublishedConfig.Read<MagnetConfig>(folder).Value;
        var isClassifier = checkpoint.Tensors.Any(tensor => tensor.Name == "score.weight");
        _hourglass = new(context, _config, _config.NToken, _config.Scripts.Select(MagnetConfig.Predictor), isClassifier ? Classifier : "");
        if (isClassifier) _score = Network.Build(context, "magnet score", scope => Score(scope, _config));
        _vocabulary = new(_config.NToken, Offset: 3, Start: 1, End: 1);
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "language-models/magnet",
            Paper = "MAGNET: Improving the Multilingual Fairness of Language Models with Adaptive Gradient-Based Tokenization",
            ArXiv = "2407.08818",
            Authors = ["Orevaoghene Ahia", "Sachin Kumar", "Hila Gonen", "Valentin Hofmann", "Tomasz Limisiewicz", "Yulia Tsvetkov", "Noah A. Smith"],
            Repository = "orevaahia/magnet-tokenization",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Text],
            Layouts = ["config.json + model.pth (model)", "config.json + model.safetensors"],
            Sizes = [new("routing_oscar_cyrl10x_latin5x_deva13x", 130_358_665, [])],
            Deviations = "Boundaries are drawn only where a call gives the draws' uniform numbers; else they are where the probability is above one half. Texts begin with </s>.",
        },
        (source, _) =>
        {
            var checkpoint = source.OpenCheckpoint("model", "state_dict");
            return ValueTask.FromResult<IModel>(new MagnetModel(source, checkpoint, NetworkContext.Of(source, checkpoint)));
        });

    /// <inheritdoc/>
    public ModelFacts Facts => LanguageFacts.Of(_checkpoint, _score is null ? _hourglass.Networks : _hourglass.Networks.Append(_score), new KeyValuePair<string, string>("scripts", string.Join(", ", _config.Scripts)));

    /// <inheritdoc/>
    public TokenSpace? Space => _vocabulary.Space(_id);

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Text;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => [.. ByteMetrics.Names, ByteMetrics.PiecesPerText.Name];

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<MagnetEvaluateOptions>();

    /// <summary>The networks, for tests.</summary>
    internal Hourglass Hourglass => _hourglass;

    /// <inheritdoc/>
    public async ValueTask<Tokens> TokenizeAsync(Text media, MagnetTokenizeOptions options, CancellationToken cancel = default)
    {
        var ids = _vocabulary.Encode(media.Value);
        var read = await Reader(options.Script, media.Value).ReadAsync(_vocabulary.Begin(ids), cancel).ConfigureAwait(false);
        return PieceTokens.Of(Space!, media.Value, ids, Segments(read.Boundaries));
    }

    /// <inheritdoc/>
    public ValueTask<Text> DetokenizeAsync(Tokens tokens, MagnetTokenizeOptions options, CancellationToken cancel = default) =>
        ValueTask.FromResult(new Text(Encoding.UTF8.GetString(_vocabulary.Decode(tokens.Expect(Space!).Ids.Span))));

    /// <inheritdoc/>
    public IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, MagnetGenerateOptions options, ulong seed, CancellationToken cancel = default)
    {
        var text = ByteGeneration.TextOf(prompt);
        return ByteGeneration.StreamAsync(new HourglassByteModel(_hourglass, Reader(options.Script, text)), _vocabulary, _vocabulary.Begin(_vocabulary.Encode(text)), options, seed, cancel);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var asked = options.Expect<MagnetEvaluateOptions>();
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var script = MagnetScripts.Choose(asked.Script, example.Media.Expect<Text>().Value, _config.Scripts);
            await foreach (var observation in ByteEvaluation.ObserveAsync(new[] { example }.ToAsyncEnumerable(), asked.Context, (bytes, stop) => MeasureAsync(script, bytes, stop), cancel).ConfigureAwait(false))
                yield return observation with { Group = example.Label ?? script }; // a folder for each language, or else the scripts
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => call switch
    {
        "forward" when _score is null => await new MagnetForward(_hourglass, _config).RunAsync(arguments, cancel).ConfigureAwait(false),
        "forward" or "classify" when _score is not null => await new MagnetForward(_hourglass, _config).ClassifyAsync(_score, arguments, cancel).ConfigureAwait(false),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"MAGNET has no call '{call}' here.") { Expected = _score is null ? "forward" : "classify" },
    };

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _hourglass.Dispose();
        _score?.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>A map without bias of the mean state. hidden (B, D) -> (B, classes).</summary>
    internal static void Score(Scope scope, MagnetConfig config)
    {
        var labels = config.NumLabels ?? (scope.IsInventory ? 2 : scope["score"].ShapeOf("weight")[0]);
        scope.Graph.Output("logits", scope["score"].Linear(scope.Graph.Input("hidden", [Dim.Symbol("batch"), config.DModel]), labels, bias: false));
    }

    private HourglassReader Reader(string script, string text) => new(_hourglass, MagnetConfig.Predictor(MagnetScripts.Choose(script, text, _config.Scripts)));

    // Bytes of each segment. The first may have begun at </s>, which is none.
    private static List<int> Segments(ReadOnlySpan<bool> boundaries)
    {
        var (lengths, open) = (new List<int>(), 0);
        foreach (var isLast in boundaries[1..])
        {
            open++;
            if (!isLast) continue;
            lengths.Add(open);
            open = 0;
        }

        if (open > 0) lengths.Add(open);
        return lengths;
    }

    private async Task<MeasuredBytes> MeasureAsync(string script, byte[] bytes, CancellationToken cancel)
    {
        var ids = _vocabulary.Encode(bytes);
        var read = await new HourglassReader(_hourglass, MagnetConfig.Predictor(script)).ReadAsync(_vocabulary.Begin(ids), cancel).ConfigureAwait(false);
        var (outputs, _) = await _hourglass.Decoder.RunAsync(("x", HourglassByteModel.Add(read.States, read.Hidden)), _hourglass.Decoder.Begin(), cancel).ConfigureAwait(false);
        return new(ByteEvaluation.Bits(outputs["logits"], ids), Segments(read.Boundaries));
    }
}
