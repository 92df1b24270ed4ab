using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Hosting;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>What merges never cross.</summary>
public enum MergeBoundary
{
    /// <summary>The ends of what the tokenizer's own pre-tokenizer cuts.</summary>
    Pretokens,

    /// <summary>The ends of words.</summary>
    Word,

    /// <summary>The ends of words, and of their parts between punctuation other than the hyphen.</summary>
    WordHyphen,

    /// <summary>The ends of the text alone.</summary>
    Sentence,
}

/// <summary>Options of dynamic tokenization.</summary>
public sealed record DynamicOptions : ModelOptions
{
    /// <summary>Most merges.</summary>
    [Description("Most merges over the text; 0 leaves the tokenizer's own tokens."), Range(0, 1_000_000)]
    public int MaxMerges { get; init; } = 1000;

    /// <summary>What merges never cross.</summary>
    [Description("What merges never cross.")]
    public MergeBoundary Boundary { get; init; } = MergeBoundary.Pretokens;
}

/// <summary>The verbs tokenize and evaluate. Merged tokens that the vocabulary lacks have ids behind it, in order of appearance, and travel with the tokens as <c>new_tokens</c>: their strings, one a line.</summary>
internal sealed class DynamicVerbs(string model, DynamicBpe dynamic, PipelineTokenizer tokenizer) : ITokenize<Text, DynamicOptions>, IEvaluate
{
    private const string NewTokens = "new_tokens";

    public Modality Evaluates => Modality.Text;

    public IReadOnlyList<string> DefaultMetrics { get; } = ["bytes-per-token", "fertility", "continued-words", "round-trip"];

    public OptionsSchema EvaluateOptions { get; } = OptionsSchema.Of<DynamicOptions>();

    public ValueTask<Tokens> TokenizeAsync(Text media, DynamicOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        // The first token begins the text and stands for none of it.
        string[] strings = [.. dynamic.Tokenize([media.Value], options.MaxMerges, JsonNamingPolicy.SnakeCaseLower.ConvertName($"{options.Boundary}"))[0].Skip(1)];
        var added = new OrderedDictionary<string, int>();
        int[] ids = [.. strings.Select(token =>
        {
            if (tokenizer.IdOf(token) is { } known) return known;
            added.TryAdd(token, tokenizer.IdLimit + added.Count);
            return added[token];
        })];
        var lines = Encoding.UTF8.GetBytes(string.Join('\n', added.Keys));
        return ValueTask.FromResult(new Tokens(Space(added.Count), Tensor.Create(ids, ids.Length))
        {
            Spans = TokenPlaces.Of(media.Value, strings.Select(Bytes)),
            SourceLength = media.Value.Length,
            Extras = added.Count == 0 ? new Dictionary<string, Tensor>() : new Dictionary<string, Tensor> { [NewTokens] = Tensor.Create(lines, lines.Length) },
        });
    }

    public ValueTask<Text> DetokenizeAsync(Tokens tokens, DynamicOptions options, CancellationToken cancel = default)
    {
        string[] added = tokens.Extras.TryGetValue(NewTokens, out var lines) ? Encoding.UTF8.GetString(lines.As<byte>().Span).Split('\n') : [];
        var bytes = new List<byte>();
        foreach (var id in tokens.Expect(Space(added.Length)).Ids.Span) bytes.AddRange(Bytes(id >= tokenizer.IdLimit ? added[id - tokenizer.IdLimit] : tokenizer.TokenOf(id) ?? "") ?? []);
        return ValueTask.FromResult(new Text(Encoding.UTF8.GetString([.. bytes])));
    }

    public IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, CancellationToken cancel = default) =>
        TextObservations.OfAsync(this, examples, options as DynamicOptions ?? new(), cancel);

    private TokenSpace Space(int added) => new(model, TokenLayout.Flat, [tokenizer.IdLimit + added], tokenizer.VocabularyDigest);

    private static byte[]? Bytes(string token)
    {
        var bytes = new List<byte>();
        return ByteAlphabet.TryDecode(Encoding.UTF8.GetBytes(token), bytes) ? [.. bytes] : null;
    }
}
