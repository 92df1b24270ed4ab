using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Hosting;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

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

    /// <summary>The bytes of text that an id stands for by itself; null where that depends on its neighbours.</summary>
    byte[]? Spelling(int id) => null;

    /// <summary>The ids with their places, where the method itself says what of the text a token comes from; null where spelling tells, or nothing does.</summary>
    IReadOnlyList<PlacedToken>? Place(string text) => null;
}

/// <summary>The verbs tokenize and evaluate over a codec, or one for each setting of the options; all of them have one vocabulary.</summary>
internal sealed class TextVerbs<TOptions>(string model, Func<TOptions, ITextCodec> codecOf) : ITokenize<Text, TOptions>, IEvaluate where TOptions : ModelOptions, new()
{
    private readonly TokenSpace _space = SpaceOf(model, codecOf(new()));

    public TokenSpace Space => _space;

    public Modality Evaluates => Modality.Text;

    public IReadOnlyList<string> DefaultMetrics => TextObservations.DefaultMetrics;

    public OptionsSchema EvaluateOptions { get; } = OptionsSchema.Of<TOptions>();

    public ValueTask<Tokens> TokenizeAsync(Text media, TOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        var codec = codecOf(options);
        var placed = codec.Place(media.Value);
        var ids = placed is null ? codec.Encode(media.Value) : PlacedToken.Ids(placed);
        IReadOnlyList<TokenSpan> spans = placed is null ? TokenPlaces.Of(media.Value, ids.Select(codec.Spelling)) : [.. placed.Select(token => new TokenSpan(token.Start, token.End))];
        return ValueTask.FromResult(new Tokens(_space, Tensor.Create(ids, ids.Length)) { Spans = spans, SourceLength = media.Value.Length });
    }

    public ValueTask<Text> DetokenizeAsync(Tokens tokens, TOptions options, CancellationToken cancel = default) =>
        ValueTask.FromResult(new Text(codecOf(options).Decode(tokens.Expect(_space).Ids.Span)));

    public IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, CancellationToken cancel = default) =>
        TextObservations.OfAsync(this, examples, options as TOptions ?? new(), cancel);

    private static TokenSpace SpaceOf(string model, ITextCodec codec) => new(model, TokenLayout.Flat, [codec.VocabularySize], codec.VocabularyDigest);
}
