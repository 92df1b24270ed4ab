using System.Reflection;

namespace ModelZoo.Host.Loading;

/// <summary>The loader on McMaster.NETCore.Plugins (<c>-p:PluginLoader=McMaster</c>): the package makes the load context and resolves by <c>deps.json</c>; checks, leases and proof of unloading are this host's.</summary>
internal sealed class McMasterPluginLoader : PluginLoader
{
    // The package's loader is let go with its context: unloading the context is all that its Dispose does when it does not watch files.
    protected override Assembly Open(PluginFile file) => McMaster.NETCore.Plugins.PluginLoader.CreateFromAssemblyFile(file.Assembly, config =>
    {
        config.IsUnloadable = true;
        config.PreferSharedTypes = false;
        foreach (var shared in SharedAssemblies.Contracts.Values) config.SharedAssemblies.Add(shared.GetName());
    }).LoadDefaultAssembly();
}
