using ModelZoo.Contracts;
using MyPlugin;

[assembly: ModelPlugin(typeof(Plugin))]

namespace MyPlugin;

/// <summary>The table of what this plugin brings. Making it must be quick and without side effects.</summary>
public sealed class Plugin : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures { get; } = [new(ByteTokenizer.Card, ByteTokenizer.OpenAsync)];
}
