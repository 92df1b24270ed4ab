using ModelZoo.Conformance;

namespace ModelZoo.Plugins.TextTokenizers.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case.</summary>
public sealed class TextTokenizersPluginLaws : PluginLaws<TextTokenizersPlugin>
{
    protected override IEnumerable<LawSample> Samples => LawSample.OfCases("text-tokenizers");
}
