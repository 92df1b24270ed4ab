using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Host.Hosting;

/// <summary>What the host offers to plugins in <see cref="ModelSource.Services"/>: the engine, started when first asked for, how runs are taken together (as the manifest says when a model is opened), and nothing of the host's own.</summary>
internal sealed class PluginServices(Lazy<InferenceRuntime> engine, Func<BatchSettings> batching) : IServiceProvider
{
    public object? GetService(Type serviceType) => serviceType == typeof(InferenceRuntime) ? engine.Value : serviceType == typeof(BatchSettings) ? batching() : null;
}
