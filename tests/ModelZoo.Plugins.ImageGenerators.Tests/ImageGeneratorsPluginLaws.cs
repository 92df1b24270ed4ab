using ModelZoo.Conformance;

namespace ModelZoo.Plugins.ImageGenerators.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case.</summary>
public sealed class ImageGeneratorsPluginLaws : PluginLaws<ImageGeneratorsPlugin>
{
    protected override IEnumerable<LawSample> Samples => LawSample.OfCases("image-generators");

    // Cases carry the network alone: these verbs need what is published apart from it (a text encoder, a language model).
    protected override IReadOnlySet<string> Untried => new HashSet<string>
    {
        "image-generators/instella-ar generate", "image-generators/instella-diffusion generate", "image-generators/maskgen-kl generate",
        "image-generators/maskgen-vq generate",
    };

    // One class of models stands for all: the second compilation of every paper would take longer than the laws.
    protected override int UnloadSamples => 6;
}
