using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Host.Hosting;

/// <summary>What the host offers to plugins in <see cref="ModelSource.Services"/>: the engine, started when first asked for, and nothing of the host's own.</summary>
internal sealed class PluginServices(Lazy<InferenceRuntime> engine) : IServiceProvider
{
    public object? GetService(Type serviceType) => serviceType == typeof(InferenceRuntime) ? engine.Value : null;
}
