using ModelZoo.Host.Loading;
using ModelZoo.Host.Models;

namespace ModelZoo.Host.Serving;

/// <summary>Whether requests can be served: a plugin is ready, the models that shall be warm were opened, and the server is not stopping. Every protocol answers the same.</summary>
internal sealed class Readiness(PluginCatalog catalog, ModelWarmer warmer, IHostApplicationLifetime lifetime)
{
    public bool IsReady => warmer.IsDone && !lifetime.ApplicationStopping.IsCancellationRequested && (catalog.Plugins.Count == 0 || catalog.Ready.Any());
}
