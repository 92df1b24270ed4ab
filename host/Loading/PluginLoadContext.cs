using System.Reflection;
using System.Runtime.Loader;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Loading;

/// <summary>
/// The collectible world of one plugin. Contracts come from the host; managed, satellite and native libraries from the plugin's own folder, as its <c>deps.json</c> says, RID fallback included; .NET from
/// the runtime; nothing else of the host is to be had.
/// </summary>
internal sealed class PluginLoadContext : AssemblyLoadContext
{
    private readonly AssemblyDependencyResolver _resolver;
    private readonly string _folder;

    public PluginLoadContext(string mainAssembly) : base(Path.GetFileNameWithoutExtension(mainAssembly), isCollectible: true)
    {
        _resolver = new(mainAssembly);
        _folder = Path.GetDirectoryName(mainAssembly)!;
    }

    protected override Assembly? Load(AssemblyName name)
    {
        if (SharedAssemblies.Contracts.TryGetValue(name.Name!, out var shared)) return shared;
        if (Resolve(name) is { } path) return LoadFromAssemblyPath(path);
        if (name.Name!.EndsWith(".resources", StringComparison.Ordinal) || SharedAssemblies.IsFramework(name.Name) || SharedAssemblies.IsLent(name.Name)) return null;
        throw new ModelZooException(ErrorCodes.PluginFailed, $"The plugin needs the assembly {name.Name} {name.Version}, which it does not bring.")
        {
            Where = _folder, Remedy = "Publish the plugin with its dependencies (dotnet publish, or EnableDynamicLoading in its project) and copy the whole folder.",
        };
    }

    protected override nint LoadUnmanagedDll(string unmanagedDllName)
    {
        if (_resolver.ResolveUnmanagedDllToPath(unmanagedDllName) is { } path) return LoadUnmanagedDllFromPath(path);
        string[] names = OperatingSystem.IsWindows() ? [unmanagedDllName + ".dll", unmanagedDllName]
            : OperatingSystem.IsMacOS() ? [$"lib{unmanagedDllName}.dylib", unmanagedDllName + ".dylib", unmanagedDllName] : [$"lib{unmanagedDllName}.so", unmanagedDllName + ".so", unmanagedDllName];
        var beside = names.Select(name => Path.Combine(_folder, name)).FirstOrDefault(File.Exists);
        return beside is null ? 0 : LoadUnmanagedDllFromPath(beside);
    }

    // deps.json first; an assembly that only lies beside the plugin serves too, as when somebody dropped single DLLs.
    private string? Resolve(AssemblyName name) => _resolver.ResolveAssemblyToPath(name)
        ?? (string.IsNullOrEmpty(name.CultureName) && Path.Combine(_folder, name.Name + ".dll") is var beside && File.Exists(beside) ? beside : null);
}
