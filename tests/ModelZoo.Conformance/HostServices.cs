using ModelZoo.Inference;

namespace ModelZoo.Conformance;

/// <summary>What a host offers to plugins under test: the engine, started when first asked for.</summary>
public sealed class HostServices : IServiceProvider
{
    private readonly Lazy<InferenceRuntime> _engine = new(() => new InferenceRuntime());

    /// <summary>The services of every test of this process.</summary>
    public static HostServices Instance { get; } = new();

    /// <summary>The engine.</summary>
    public InferenceRuntime Engine => _engine.Value;

    /// <inheritdoc/>
    public object? GetService(Type serviceType) => serviceType == typeof(InferenceRuntime) ? Engine : null;
}
