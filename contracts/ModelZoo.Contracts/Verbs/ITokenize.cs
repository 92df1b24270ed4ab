namespace ModelZoo.Contracts;

/// <summary>Media to tokens and back. Implement <see cref="ITokenize{TMedia, TOptions}"/>; hosts call this one. Deterministic: equal input and options give equal tokens, alone or beside others.</summary>
public interface ITokenize
{
    /// <summary>What it takes.</summary>
    Modality Takes { get; }

    /// <summary>The options that it takes.</summary>
    OptionsSchema TokenizeOptions { get; }

    /// <summary>What its ids mean where that is the same for all media and ids are all that decoding needs, so that bare ids can be decoded; null where they need more.</summary>
    TokenSpace? Space => null;

    /// <summary>Media to tokens.</summary>
    /// <exception cref="MediaException">The media is of another kind, or cannot be taken.</exception>
    ValueTask<Tokens> TokenizeAsync(Media media, ModelOptions options, CancellationToken cancel = default);

    /// <summary>Tokens to media.</summary>
    /// <exception cref="MediaException">The tokens are of another vocabulary.</exception>
    ValueTask<Media> DetokenizeAsync(Tokens tokens, ModelOptions options, CancellationToken cancel = default);
}

/// <summary>Media to tokens and back, typed.</summary>
/// <typeparam name="TMedia">What it takes.</typeparam>
/// <typeparam name="TOptions">Its options.</typeparam>
public interface ITokenize<TMedia, TOptions> : ITokenize where TMedia : Media where TOptions : ModelOptions, new()
{
    /// <summary>Media to tokens.</summary>
    ValueTask<Tokens> TokenizeAsync(TMedia media, TOptions options, CancellationToken cancel = default);

    /// <summary>Tokens to media.</summary>
    ValueTask<TMedia> DetokenizeAsync(Tokens tokens, TOptions options, CancellationToken cancel = default);

    Modality ITokenize.Takes => Modalities.Of<TMedia>();

    OptionsSchema ITokenize.TokenizeOptions => OptionsSchema.Of<TOptions>();

    ValueTask<Tokens> ITokenize.TokenizeAsync(Media media, ModelOptions options, CancellationToken cancel) =>
        TokenizeAsync(media.Expect<TMedia>(), options.Expect<TOptions>(), cancel);

    async ValueTask<Media> ITokenize.DetokenizeAsync(Tokens tokens, ModelOptions options, CancellationToken cancel) =>
        await DetokenizeAsync(tokens, options.Expect<TOptions>(), cancel).ConfigureAwait(false);
}

/// <summary>Chunk by chunk: the concatenated results equal those of the whole.</summary>
public interface ITokenizeStreaming
{
    /// <summary>Tokens of a stream of media, as soon as they are known.</summary>
    IAsyncEnumerable<Tokens> TokenizeAsync(IAsyncEnumerable<Media> chunks, ModelOptions options, CancellationToken cancel = default);

    /// <summary>Media of a stream of tokens, as soon as it is known.</summary>
    IAsyncEnumerable<Media> DetokenizeAsync(IAsyncEnumerable<Tokens> chunks, ModelOptions options, CancellationToken cancel = default);
}
