using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Hosting;

/// <summary>How any tokenizer of text is evaluated: each text, its tokens, and what they decode to.</summary>
internal static class TextObservations
{
    /// <summary>The metrics that are computed unless others are asked for.</summary>
    public static IReadOnlyList<string> DefaultMetrics { get; } = ["bytes-per-token", "fertility", "continued-words", "renyi-efficiency", "vocabulary-used", "round-trip"];

    /// <summary>One observation a text.</summary>
    public static async IAsyncEnumerable<Observation> OfAsync<TOptions>(
        ITokenize<Text, TOptions> tokenizer, IAsyncEnumerable<Example> examples, TOptions options, [EnumeratorCancellation] CancellationToken cancel)
        where TOptions : ModelOptions, new()
    {
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var tokens = await tokenizer.TokenizeAsync(example.Media.Expect<Text>(), options, cancel).ConfigureAwait(false);
            yield return new(example.Id, example.Media, await tokenizer.DetokenizeAsync(tokens, options, cancel).ConfigureAwait(false)) { Tokens = tokens, Label = (example.Target as Text)?.Value ?? example.Label };
        }
    }
}
