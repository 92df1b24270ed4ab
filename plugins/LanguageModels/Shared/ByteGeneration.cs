using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Texts continued byte by byte. Results and the partial ones are the new text alone, without the prompt.</summary>
internal static class ByteGeneration
{
    /// <summary>The words of a prompt; empty for none, which starts a text.</summary>
    /// <exception cref="MediaException">In their place is something else than one text.</exception>
    public static string TextOf(Prompt prompt) => prompt.Text ?? prompt.Media switch
    {
        [] => "",
        [Text text] => text.Value,
        var others => throw new MediaException(ErrorCodes.MediaUnsupported, "What is given is not one text to go on from.") { Expected = "words, or one file of text", Found = string.Join(", ", others.Select(item => item.Modality)).ToLowerInvariant() },
    };

    /// <summary>Continues <paramref name="prompt"/>; each step shows the text so far, of which every later one is a continuation.</summary>
    /// <param name="model">The model, at its beginning.</param>
    /// <param name="vocabulary">Its ids.</param>
    /// <param name="prompt">The ids to go on from, marks included; one at least.</param>
    /// <param name="options">How many bytes, and how they are chosen.</param>
    /// <param name="seed">The same seed gives the same text.</param>
    /// <param name="cancel">Stops within one step.</param>
    public static IAsyncEnumerable<Generation<Text>> StreamAsync(ITokenModel model, ByteVocabulary vocabulary, int[] prompt, TextGenerationOptions options, ulong seed, CancellationToken cancel = default) =>
        StreamAsync(model, id => vocabulary.ByteOf(id) is { } value ? [value] : [], vocabulary.End, prompt, options, seed, cancel);

    /// <summary>The same of a model whose ids stand for any number of bytes.</summary>
    /// <param name="model">The model, at its beginning.</param>
    /// <param name="bytesOf">Bytes of an id; none for a mark.</param>
    /// <param name="end">Id that ends a text; null when none does.</param>
    /// <param name="prompt">The ids to go on from, marks included; one at least.</param>
    /// <param name="options">How many ids, and how they are chosen.</param>
    /// <param name="seed">The same seed gives the same text.</param>
    /// <param name="cancel">Stops within one step.</param>
    public static async IAsyncEnumerable<Generation<Text>> StreamAsync(
        ITokenModel model, Func<int, byte[]> bytesOf, int? end, int[] prompt, TextGenerationOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        if (prompt.Length == 0) throw new MediaException(ErrorCodes.MediaUnsupported, "There is nothing to go on from.") { Expected = "a prompt of one character or more" };
        var decoder = new AutoregressiveDecoder(options.MaxNewTokens) { Sampling = options.Sampling, EndTokens = end is { } last ? new HashSet<int> { last } : new() };
        var (text, step) = (new GrowingText(options.Stop), 0);
        await foreach (var tokens in decoder.StreamAsync(model, Tensor.Create(prompt, 1, prompt.Length), seed, cancel: cancel).ConfigureAwait(false))
        {
            foreach (var value in tokens[0] is { } id ? bytesOf(id) : []) text.Append(value);
            if (text.HasStopped) break;
            yield return Generation<Text>.Progress(++step, options.MaxNewTokens, new(text.Shown));
        }

        text.Finish();
        yield return Generation<Text>.Final(new(text.Shown), options.MaxNewTokens);
    }
}
