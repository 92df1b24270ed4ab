using ModelZoo.Conformance;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case and on the sample.</summary>
public sealed class DiffusionTransformersPluginLaws : PluginLaws<DiffusionTransformersPlugin>
{
    protected override IEnumerable<LawSample> Samples => [.. LawSample.OfCases("diffusion-transformers"), new("diffusion-transformers/dit") { Checkpoint = Repository.Path("samples", "dit-digits"), FindsInputs = true }];

    // Cases carry the network alone: these verbs need what is published apart from it (the autoencoder).
    protected override IReadOnlySet<string> Untried => new HashSet<string>
    {
        "diffusion-transformers/delta-dit generate", "diffusion-transformers/dit generate", "diffusion-transformers/dit-moe generate", "diffusion-transformers/dydit-plus-plus generate",
        "diffusion-transformers/flexdit generate", "diffusion-transformers/haste generate", "diffusion-transformers/promoe generate",
        "diffusion-transformers/sit generate", "diffusion-transformers/u-dit generate", "diffusion-transformers/va-vae-lightningdit generate",
    };
}
