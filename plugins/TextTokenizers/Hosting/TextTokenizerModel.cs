using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Hosting;

/// <summary>A tokenizer as the host sees it: text to tokens and back, and the calls of the reference library.</summary>
public sealed class TextTokenizerModel : IModel, ITokenize<Text, TextTokenizerOptions>, IEvaluate
{
    private readonly IReferenceCalls? _calls;
    private readonly TokenSpace _space;
    private readonly Lazy<string[]> _specialTokens;

    /// <summary>A tokenizer under the name of its source.</summary>
    public TextTokenizerModel(ModelSource source, Tokenizer tokenizer, IReferenceCalls? calls = null)
    {
        (Tokenizer, _calls) = (tokenizer, calls);
        _space = new(source.Id.ToString(), TokenLayout.Flat, [tokenizer.IdLimit], tokenizer.VocabularyDigest);
        _specialTokens = new(() => [.. tokenizer.Ids.Where(tokenizer.IsSpecial).Select(id => tokenizer.TokenOf(id)!).Where(token => token.Length > 0)]);
        Facts = new()
        {
            Digests = cancel => FolderDigests.OfAsync(source.Folder, cancel),
            Properties = [new("vocabulary", FormattableString.Invariant($"{tokenizer.IdLimit} ids"))],
        };
    }

    /// <summary>The tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <inheritdoc/>
    public TokenSpace Space => _space;

    /// <inheritdoc/>
    public ModelFacts Facts { get; }

    /// <inheritdoc/>
    public object? GetCapability(Type type) =>
        type == typeof(IReferenceCalls) ? _calls : type.IsInstanceOfType(this) ? this : type.IsInstanceOfType(Tokenizer) ? Tokenizer : null;

    /// <inheritdoc/>
    public ValueTask<Tokens> TokenizeAsync(Text media, TextTokenizerOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        var encode = EncodeRequest.Of(options, Tokenizer);
        if (EncodeRequest.PolicyOf(options, Tokenizer) == SpecialText.Refuse)
        {
            Refuse(media.Value, "the text", encode.AllowedSpecialTokens);
            Refuse(options.Pair ?? "", "the pair", encode.AllowedSpecialTokens);
        }

        return ValueTask.FromResult(EncodedTokens.Of(_space, Tokenizer, media.Value, options, unit => Encode(media.Value, options.Pair, encode with { Offsets = unit })));
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

    private TokenEncoding Encode(string text, string? pair, EncodeOptions options)
    {
        try
        {
            return Tokenizer.EncodeTexts(text, pair, options);
        }
        catch (TruncationException error)
        {
            throw new OptionsException(ErrorCodes.OptionRange, error.Message, error) { Where = "max_length" };
        }
    }

    private void Refuse(string text, string what, IReadOnlySet<string> allowed)
    {
        foreach (var token in _specialTokens.Value)
        {
            if (allowed.Contains(token) || text.IndexOf(token, StringComparison.Ordinal) is not (>= 0 and var place)) continue;
            throw new MediaException(ErrorCodes.MediaUnsupported, "The text holds a special token that is not allowed.")
            { Where = $"{what}, character {place}", Found = token, Remedy = "Allow it by allowed_special, or take it as ordinary text by special_text=text." };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
