using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Hosting;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>A paper's method as a table of the reference's own calls, which <c>generate</c> makes too, with the verbs of a tokenizer where the paper is one.</summary>
internal sealed class PaperModel(ModelSource source) : IModel, IReferenceCalls
{
    private readonly Dictionary<string, Func<CallArguments, CancellationToken, CallResults>> _calls = [];
    private readonly List<IDisposable> _owned = [];
    private readonly List<object> _capabilities = [];

    public ModelFacts Facts => field ??= new()
    {
        Digests = cancel => FolderDigests.OfAsync(source.Folder, cancel),
        Properties = _calls.Count == 0 ? [] : [new("calls", string.Join(", ", _calls.Keys))],
    };

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
    public PaperModel Tokenizes(ITextCodec codec) => Tokenizes<NoOptions>(_ => codec);

    /// <summary>Gives the model the verbs tokenize and evaluate, with options that choose among ways over one vocabulary.</summary>
    public PaperModel Tokenizes<TOptions>(Func<TOptions, ITextCodec> codecOf) where TOptions : ModelOptions, new() => With(new TextVerbs<TOptions>(source.Id.ToString(), codecOf));

    /// <summary>Gives the model the verbs of a tokenizer of the library.</summary>
    public PaperModel Tokenizes(Tokenizer tokenizer) => With(new TextTokenizerModel(source, tokenizer));

    /// <summary>Gives the model the verb evaluate, over each of the tokenizers of its folder.</summary>
    /// <param name="tokenizers">The folder's tokenizers.</param>
    /// <param name="metrics">What is measured unless something else is asked for.</param>
    public PaperModel Compares(TokenizerSet tokenizers, params string[] metrics) => With(new ComparisonVerb(tokenizers, metrics));

    /// <summary>Lets <c>generate</c> make the calls, where there are any: what it is given are lines of JSON and tensors, and what it makes is of that kind.</summary>
    public PaperModel Answers(Modality makes) => _calls.Count == 0 || _capabilities.Exists(capability => capability is IGenerate) ? this : With(new CallVerb(this, [.. _calls.Keys], makes));

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

    public object? GetCapability(Type type) => type.IsInstanceOfType(this) ? this : _capabilities.Find(type.IsInstanceOfType);

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
            try
            {
                answers.Add(answer(line));
            }
            catch (ModelZooException error)
            {
                var place = $"line {answers.Count + 1}";
                throw new ModelZooException(error.Code, error.What, error) { Where = error.Where is null ? place : $"{place}: {error.Where}", Expected = error.Expected, Found = error.Found ?? Line.Short(line), Remedy = error.Remedy };
            }
        }

        return answers;
    }
}
