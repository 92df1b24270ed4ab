using ModelZoo.Conformance;

namespace ModelZoo.Plugins.Components.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case.</summary>
public sealed class ComponentsPluginLaws : PluginLaws<ComponentsPlugin>
{
    protected override IEnumerable<LawSample> Samples => LawSample.OfCases("components");
}
