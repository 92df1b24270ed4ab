using ModelZoo.Conformance;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case and on the sample.</summary>
public sealed class ImageTokenizersPluginLaws : PluginLaws<ImageTokenizersPlugin>
{
    protected override IEnumerable<LawSample> Samples => [.. LawSample.OfCases("image-tokenizers"), new("image-tokenizers/titok") { Checkpoint = Repository.Path("samples", "titok-emoji"), FindsInputs = true }];

    // Cases carry the network alone: these verbs need what is published apart from it (a decoder, an encoder that others trained; a vocabulary of picture pieces takes pictures as tokens of another model).
    protected override IReadOnlySet<string> Untried => new HashSet<string>
    {
        "image-tokenizers/bpe-image-tokenizer tokenize", "image-tokenizers/digit generate", "image-tokenizers/ett generate",
        "image-tokenizers/ett tokenize", "image-tokenizers/hita generate", "image-tokenizers/hita tokenize",
        "image-tokenizers/seed generate",
    };

    // One class of models stands for all: the second compilation of every paper would take longer than the laws.
    protected override int UnloadSamples => 8;
}
