using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Hosting;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>A paper's method as a table of the reference's own calls, with the verbs of a tokenizer where the paper is one.</summary>
internal sealed class PaperModel(ModelSource source) : IModel, IReferenceCalls
{
    private readonly Dictionary<string, Func<CallArguments, CancellationToken, CallResults>> _calls = [];
    private readonly List<IDisposable> _owned = [];
    private readonly List<object> _capabilities = [];
    private TextVerbs? _verbs;

    public ModelFacts Facts { get; init; } = new();

    /// <summary>Adds a call that has results of its own.</summary>
    public PaperModel On(string call, Func<CallArguments, CallResults> run) => On(call, (arguments, _) => run(arguments));

    /// <summary>Adds a long call, which watches for cancellation.</summary>
    public PaperModel On(string call, Func<CallArguments, CancellationToken, CallResults> run)
    {
        _calls.Add(call, run);
        return this;
    }

    /// <summary>Adds a call that answers each line of JSON with a line of JSON.</summary>
    public PaperModel OnLines(string call, Func<JsonElement, JsonElement> answer) =>
        On(call, (arguments, cancel) => new CallResults().Add("lines", Answer(arguments.Lines("lines"), answer, cancel)));

    /// <summary>Gives the model the verbs tokenize and evaluate.</summary>
    public PaperModel Tokenizes(ITextCodec codec)
    {
        _verbs = new(source.Id.ToString(), codec);
        return this;
    }

    /// <summary>Gives the model a capability of its own.</summary>
    public PaperModel With(object capability)
    {
        _capabilities.Add(capability);
        return this;
    }

    /// <summary>Hands over what goes when the model goes.</summary>
    public PaperModel Owns(params ReadOnlySpan<IDisposable> parts)
    {
        _owned.AddRange(parts);
        return this;
    }

    public object? GetCapability(Type type) => type.IsInstanceOfType(this) ? this : type.IsInstanceOfType(_verbs) ? _verbs : _capabilities.Find(type.IsInstanceOfType);

    public ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (!_calls.TryGetValue(call, out var run))
            throw new ModelZooException(ErrorCodes.VerbUnsupported, $"{source.Id} has no call '{call}'.") { Expected = string.Join(", ", _calls.Keys) };
        return ValueTask.FromResult(run(arguments, cancel));
    }

    public ValueTask DisposeAsync()
    {
        foreach (var part in _owned) part.Dispose();
        return ValueTask.CompletedTask;
    }

    private static List<JsonElement> Answer(IReadOnlyList<JsonElement> lines, Func<JsonElement, JsonElement> answer, CancellationToken cancel)
    {
        var answers = new List<JsonElement>(lines.Count);
        foreach (var line in lines)
        {
            cancel.ThrowIfCancellationRequested();
            answers.Add(answer(line));
        }

        return answers;
    }
}

/// <summary>Text to ids and back: what a paper's tokenizer needs for the verbs.</summary>
internal interface ITextCodec
{
    /// <summary>Number of ids.</summary>
    int VocabularySize { get; }

    /// <summary>SHA-256 over what gives the ids their meaning, lower-case hex.</summary>
    string VocabularyDigest { get; }

    /// <summary>The ids of <paramref name="text"/>.</summary>
    int[] Encode(string text);

    /// <summary>The text of <paramref name="ids"/>.</summary>
    string Decode(ReadOnlySpan<int> ids);
}

/// <summary>The verbs tokenize and evaluate over a codec.</summary>
internal sealed class TextVerbs(string model, ITextCodec codec) : ITokenize<Text, NoOptions>, IEvaluate
{
    private readonly TokenSpace _space = new(model, TokenLayout.Flat, [codec.VocabularySize], codec.VocabularyDigest);

    public Modality Evaluates => Modality.Text;

    public IReadOnlyList<string> DefaultMetrics => TextObservations.DefaultMetrics;

    public OptionsSchema EvaluateOptions { get; } = OptionsSchema.Of<NoOptions>();

    public ValueTask<Tokens> TokenizeAsync(Text media, NoOptions options, CancellationToken cancel = default)
    {
        var ids = codec.Encode(media.Value);
        return ValueTask.FromResult(new Tokens(_space, Tensor.Create(ids, ids.Length)) { SourceLength = media.Value.Length });
    }

    public ValueTask<Text> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default) =>
        ValueTask.FromResult(new Text(codec.Decode(tokens.Expect(_space).Ids.Span)));

    public IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, CancellationToken cancel = default) =>
        TextObservations.OfAsync(this, examples, new NoOptions(), cancel);
}
