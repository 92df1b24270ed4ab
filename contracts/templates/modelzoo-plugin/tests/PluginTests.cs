using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace MyPlugin.Tests;

/// <summary>The laws that every plugin keeps; each is a test.</summary>
public sealed class Laws : PluginLaws<Plugin>
{
    /// <inheritdoc/>
    protected override IEnumerable<LawSample> Samples => [new("example/bytes", new Text("Hello, Wörld")) { IsLossless = (before, after) => before == after }];
}
