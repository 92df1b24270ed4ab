using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The verb evaluate over the tokenizers of a folder: each text by each of them, a column a tokenizer.</summary>
internal sealed class ComparisonVerb(TokenizerSet tokenizers, IReadOnlyList<string> metrics) : IEvaluate
{
    public Modality Evaluates => Modality.Text;

    public IReadOnlyList<string> DefaultMetrics => metrics;

    public OptionsSchema EvaluateOptions { get; } = OptionsSchema.Of<NoOptions>();

    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var files = tokenizers.Files;
        if (files.Count == 0) throw new CheckpointException(ErrorCodes.CheckpointMissing, "The folder holds no tokenizers to compare.") { Where = tokenizers.Folder, Expected = "files like tokenizer.json" };
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var text = example.Media.Expect<Text>();
            foreach (var file in files)
            {
                cancel.ThrowIfCancellationRequested();
                var tokens = await tokenizers.Verbs(file).TokenizeAsync(text, new(), cancel).ConfigureAwait(false);
                yield return new(example.Id, text, await tokenizers.Verbs(file).DetokenizeAsync(tokens, new(), cancel).ConfigureAwait(false))
                {
                    Tokens = tokens, Label = (example.Target as Text)?.Value ?? example.Label, Group = files.Count == 1 ? "" : Path.ChangeExtension(file, null),
                };
            }
        }
    }
}
