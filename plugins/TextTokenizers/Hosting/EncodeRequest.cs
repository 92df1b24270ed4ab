using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Hosting;

/// <summary>The options of a call as a tokenizer's own: checked against each other and against what the tokenizer can do.</summary>
internal static class EncodeRequest
{
    // Only what can be nothing else.
    private static readonly string[] UsualPadding = ["[PAD]", "<pad>", "<|pad|>"];

    /// <summary>How the tokenizer is to encode.</summary>
    /// <exception cref="OptionsException">Options do not go together, or the tokenizer lacks what they ask for.</exception>
    public static EncodeOptions Of(TextTokenizerOptions options, Tokenizer tokenizer)
    {
        var truncation = TruncationOf(options, tokenizer);
        var padding = PaddingOf(options, tokenizer);
        return new()
        {
            AddSpecialTokens = options.AddSpecialTokens,
            EncodeSpecialTokens = PolicyOf(options, tokenizer) != SpecialText.Special,
            AllowedSpecialTokens = Allowed(options, tokenizer),
            Truncation = truncation,
            NoTruncation = truncation is null && !options.FileSettings,
            Padding = padding,
            NoPadding = padding is null && !options.FileSettings,
        };
    }

    /// <summary>What becomes of special tokens in a text.</summary>
    /// <exception cref="OptionsException">The tokenizer never finds them.</exception>
    public static SpecialText PolicyOf(TextTokenizerOptions options, Tokenizer tokenizer)
    {
        var policy = options.SpecialText ?? (options.AllowedSpecial.Length > 0 || tokenizer.TakesSpecialTokensAsText ? SpecialText.Text : SpecialText.Special);
        if (!tokenizer.FindsSpecialTokens && (policy == SpecialText.Special || options.AllowedSpecial.Length > 0))
            throw new OptionsException(ErrorCodes.OptionRange, "This tokenizer takes the text of special tokens for text, as its library does.") { Where = options.AllowedSpecial.Length > 0 ? "allowed_special" : "special_text", Expected = "special_text=text or special_text=refuse" };
        return policy;
    }

    private static HashSet<string> Allowed(TextTokenizerOptions options, Tokenizer tokenizer)
    {
        if (options.AllowedSpecial.Length > 0 && options.SpecialText == SpecialText.Special)
            throw Useless("allowed_special", "special_text=text or special_text=refuse");
        foreach (var token in options.AllowedSpecial)
        {
            if (tokenizer.IdOf(token) is { } id && tokenizer.IsSpecial(id)) continue;
            string[] special = [.. tokenizer.Ids.Where(tokenizer.IsSpecial).Select(known => tokenizer.TokenOf(known)!)];
            throw new OptionsException(ErrorCodes.OptionRange, "The tokenizer has no such special token.")
            { Where = "allowed_special", Expected = special.Length == 0 ? "none: it has no special tokens" : string.Join(", ", special.Take(10)) + (special.Length > 10 ? $" and {special.Length - 10} more" : ""), Found = token };
        }

        return [.. options.AllowedSpecial];
    }

    private static Truncation? TruncationOf(TextTokenizerOptions options, Tokenizer tokenizer)
    {
        if (options.MaxLength is not { } length)
        {
            var given = options.Stride is not null ? "stride" : options.Truncate is not null ? "truncate" : options.TruncateSide is not null ? "truncate_side" : null;
            return given is null ? options.FileSettings ? tokenizer.OwnTruncation : null : throw Useless(given, "max_length");
        }

        var strategy = options.Truncate ?? TruncationStrategy.LongestFirst;
        if (strategy == TruncationStrategy.OnlySecond && options.Pair is null) throw Useless("truncate=only-second", "pair");
        var around = options.AddSpecialTokens ? tokenizer.AroundTexts?.AddedTokens(options.Pair is not null) ?? 0 : 0;
        if (length <= around)
            throw new OptionsException(ErrorCodes.OptionRange, "No room is left for the text.") { Where = "max_length", Expected = $"more than the {around} special tokens that are added", Found = $"{length}" };
        if (options.Stride >= length - around)
            throw new OptionsException(ErrorCodes.OptionRange, "Windows cannot share all of their tokens.") { Where = "stride", Expected = $"less than the {length - around} tokens of text in a window", Found = $"{options.Stride}" };
        return new(length, options.Stride ?? 0, strategy, options.TruncateSide == Side.Left);
    }

    private static Padding? PaddingOf(TextTokenizerOptions options, Tokenizer tokenizer)
    {
        var own = tokenizer.OwnPadding;
        if (options.PadLength is null && options.PadMultiple is null)
        {
            var given = options.PadSide is not null ? "pad_side" : options.PadToken is not null ? "pad_token" : null;
            return given is null ? null : throw Useless(given, "pad_length or pad_multiple");
        }

        var (id, token) = (own?.Id, own?.Token);
        if (options.PadToken is { } name)
            (id, token) = (tokenizer.IdOf(name) ?? throw new OptionsException(ErrorCodes.OptionRange, "The vocabulary has no such token.") { Where = "pad_token", Found = name }, name);
        foreach (var usual in UsualPadding)
        {
            if (id is not null) break;
            (id, token) = (tokenizer.IdOf(usual), usual);
        }

        if (id is not { } padding) throw new OptionsException(ErrorCodes.OptionRange, "The tokenizer says of no token that it is padding.") { Where = "pad_token", Expected = "a token of the vocabulary to pad with, such as --option pad_token=\"<|endoftext|>\"" };
        return new(options.PadLength, options.PadMultiple, options.PadSide is { } side ? side == Side.Left : own?.Left == true, padding, own?.TypeId ?? 0, token!);
    }

    private static OptionsException Useless(string option, string needs) => new(ErrorCodes.OptionRange, $"'{option}' does nothing by itself.") { Where = option, Expected = $"{needs} beside it" };
}
