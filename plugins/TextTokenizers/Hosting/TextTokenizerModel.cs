using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Hosting;

/// <summary>A tokenizer as the host sees it: text to tokens and back, and the calls of the reference library.</summary>
public sealed class TextTokenizerModel : IModel, ITokenize<Text, TextTokenizerOptions>, IEvaluate
{
    private readonly IReferenceCalls? _calls;
    private readonly TokenSpace _space;

    /// <summary>A tokenizer under the name of its source.</summary>
    public TextTokenizerModel(ModelSource source, Tokenizer tokenizer, IReferenceCalls? calls = null)
    {
        (Tokenizer, _calls) = (tokenizer, calls);
        _space = new(source.Id.ToString(), TokenLayout.Flat, [tokenizer.IdLimit], tokenizer.VocabularyDigest);
        Facts = new()
        {
            Digests = cancel => FolderDigests.OfAsync(source.Folder, cancel),
            Properties = [new("vocabulary", FormattableString.Invariant($"{tokenizer.IdLimit} ids"))],
        };
    }

    /// <summary>The tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <inheritdoc/>
    public ModelFacts Facts { get; }

    /// <inheritdoc/>
    public object? GetCapability(Type type) =>
        type == typeof(IReferenceCalls) ? _calls : type.IsInstanceOfType(this) ? this : type.IsInstanceOfType(Tokenizer) ? Tokenizer : null;

    /// <inheritdoc/>
    public ValueTask<Tokens> TokenizeAsync(Text media, TextTokenizerOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        var encoded = Tokenizer.EncodeToTokens(media.Value, options.AddSpecialTokens);
        var ids = new int[encoded.Count];
        var spans = new TokenSpan[encoded.Count];
        for (var i = 0; i < ids.Length; i++) (ids[i], spans[i]) = (encoded[i].Id, new(encoded[i].Start, encoded[i].End));
        return ValueTask.FromResult(new Tokens(_space, new Tensor<int>(ids, [ids.Length])) { Spans = spans, SourceLength = media.Value.Length });
    }

    /// <inheritdoc/>
    public ValueTask<Text> DetokenizeAsync(Tokens tokens, TextTokenizerOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(new Text(Tokenizer.Decode(tokens.Expect(_space).Ids.Span, options.SkipSpecialTokens)));
    }

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Text;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => TextObservations.DefaultMetrics;

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions { get; } = OptionsSchema.Of<TextTokenizerOptions>();

    /// <inheritdoc/>
    public IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, CancellationToken cancel = default) =>
        TextObservations.OfAsync(this, examples, options as TextTokenizerOptions ?? new(), cancel);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
