using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Texts continued token by token. Results and the partial ones are the new text alone, without the prompt.</summary>
internal static class TokenGeneration
{
    private const char Unfinished = '\uFFFD';

    /// <summary>Continues a prompt; each step shows the text so far, of which every later one is a continuation.</summary>
    /// <param name="model">The model, at its beginning.</param>
    /// <param name="tokenizer">What ids mean.</param>
    /// <param name="prompt">The ids to go on from; one at least.</param>
    /// <param name="ends">Ids that end the text.</param>
    /// <param name="options">How many tokens, and how they are chosen.</param>
    /// <param name="seed">The same seed gives the same text.</param>
    /// <param name="cancel">Stops within one step.</param>
    public static async IAsyncEnumerable<Generation<Text>> StreamAsync(
        ITokenModel model, PublishedTokenizer tokenizer, int[] prompt, IReadOnlySet<int> ends, TextGenerationOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        if (prompt.Length == 0) throw new MediaException(ErrorCodes.MediaUnsupported, "There is nothing to go on from.") { Expected = "a prompt of one token or more" };
        var decoder = new AutoregressiveDecoder(options.MaxNewTokens) { Sampling = options.Sampling, EndTokens = ends };
        var (ids, shown, step) = (new List<int>(), "", 0);
        var text = "";
        await foreach (var tokens in decoder.StreamAsync(model, Tensor.Create(prompt, 1, prompt.Length), seed, cancel: cancel).ConfigureAwait(false))
        {
            if (tokens[0] is not { } id || ends.Contains(id)) break;
            ids.Add(id);
            text = await tokenizer.DecodeAsync([.. ids], cancel).ConfigureAwait(false);
            if (StopTexts.Find(options.Stop, text) is { } end)
            {
                text = text[..end];
                break;
            }

            // A character of several tokens is not shown before it is whole, nor what may begin a stop.
            var whole = text.TrimEnd(Unfinished);
            var safe = whole[..^StopTexts.Beginning(options.Stop, whole)];
            if (safe.StartsWith(shown, StringComparison.Ordinal)) shown = safe;
            yield return Generation<Text>.Progress(++step, options.MaxNewTokens, new(shown));
        }

        yield return Generation<Text>.Final(new(text), options.MaxNewTokens);
    }
}
