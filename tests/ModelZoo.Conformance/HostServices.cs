namespace ModelZoo.Conformance;

/// <summary>What a host offers to plugins under test.</summary>
public sealed class HostServices : IServiceProvider
{
    /// <summary>The services of every test of this process.</summary>
    public static HostServices Instance { get; } = new();

    /// <inheritdoc/>
    public object? GetService(Type serviceType) => null;
}
