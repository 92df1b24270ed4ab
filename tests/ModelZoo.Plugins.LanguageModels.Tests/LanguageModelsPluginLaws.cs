using ModelZoo.Conformance;

namespace ModelZoo.Plugins.LanguageModels.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case.</summary>
public sealed class LanguageModelsPluginLaws : PluginLaws<LanguageModelsPlugin>
{
    protected override IEnumerable<LawSample> Samples => LawSample.OfCases("language-models");

    // Huginn's tokenizer is a model of another plugin; HuginnTests lends it one.
    protected override IReadOnlySet<string> Untried => new HashSet<string> { "language-models/huginn generate" };
}
