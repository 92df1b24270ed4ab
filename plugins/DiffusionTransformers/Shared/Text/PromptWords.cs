using ModelZoo.Contracts;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

/// <summary>Where words of a prompt are among its tokens.</summary>
internal static class PromptWords
{
    /// <summary>Where a span of ids first begins within others; null where it is not there.</summary>
    public static int? Find(IReadOnlyList<long> ids, IReadOnlyList<long> span) =>
        span.Count == 0 ? null : Enumerable.Range(0, Math.Max(0, ids.Count - span.Count + 1)).Cast<int?>().FirstOrDefault(at => ids.Skip(at!.Value).Take(span.Count).SequenceEqual(span));

    /// <summary>The places of a phrase's tokens in a prompt that the encoder sees: the start token is at 0.</summary>
    /// <param name="words">The tokenizer.</param>
    /// <param name="prompt">The prompt.</param>
    /// <param name="phrase">Words of it, one after another.</param>
    /// <param name="option">The option that names the phrase, for messages.</param>
    /// <exception cref="OptionsException">The prompt does not have it.</exception>
    public static int[] Places(ClipWords words, string prompt, string phrase, string option)
    {
        var span = words.Encode(phrase);
        return Find(words.Encode(prompt), span) is { } first ? [.. Enumerable.Range(first + 1, span.Count)]
            : throw new OptionsException(ErrorCodes.OptionRange, "The prompt does not have these words.") { Where = option, Expected = $"words of '{prompt}'", Found = $"'{phrase}'" };
    }
}
