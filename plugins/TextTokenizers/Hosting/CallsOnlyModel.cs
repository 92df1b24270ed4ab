using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Hosting;

/// <summary>A method without a verb of the host: it has the calls of the authors' code alone.</summary>
public sealed class CallsOnlyModel(IReferenceCalls calls) : IModel
{
    /// <inheritdoc/>
    public ModelFacts Facts { get; } = new();

    /// <inheritdoc/>
    public object? GetCapability(Type type) => type == typeof(IReferenceCalls) ? calls : null;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
