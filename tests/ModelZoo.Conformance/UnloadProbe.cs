using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Conformance;

/// <summary>Loads a plugin a second time, as a host does: into a load context of its own that can be let go.</summary>
internal static class UnloadProbe
{
    /// <summary>Makes the plugin in a context of its own, uses it, lets it go, and gives a weak reference that dies with the context.</summary>
    public static async Task<WeakReference> UseAndUnloadAsync(Type plugin, Func<IModelPlugin, Task> use)
    {
        var (context, copy) = Load(plugin);
        await use(copy());
        return Unload(context);
    }

    /// <summary>True when the context dies.</summary>
    public static async Task<bool> DiesAsync(WeakReference context)
    {
        ForgetJson();
        for (var i = 0; i < 200 && context.IsAlive; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
            GC.WaitForPendingFinalizers();
            if (context.IsAlive) await Task.Delay(20);
        }

        return !context.IsAlive;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (WeakReference, Func<IModelPlugin>) Load(Type plugin)
    {
        var context = new Context(plugin.Assembly.Location);
        var name = plugin.FullName!;
        return (new(context, trackResurrection: true), () => (IModelPlugin)Activator.CreateInstance(context.Main.GetType(name, throwOnError: true)!)!);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Unload(WeakReference context)
    {
        ((AssemblyLoadContext)context.Target!).Unload();
        return context;
    }

    // System.Text.Json remembers types (dotnet/runtime#65323); hosts make it forget, by the method that .NET has for edited code.
    private static void ForgetJson() => typeof(JsonSerializer).Assembly.GetType("System.Text.Json.JsonSerializerOptionsUpdateHandler")
        ?.GetMethod("ClearCache", BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static, [typeof(Type[])])?.Invoke(null, [null]);

    private sealed class Context(string path) : AssemblyLoadContext("unload law", isCollectible: true)
    {
        private readonly AssemblyDependencyResolver _resolver = new(path);

        public Assembly Main => LoadFromAssemblyPath(path);

        // The contracts are shared with the test, as with a host, and so is what the contracts rest on; the rest is the plugin's own.
        protected override Assembly? Load(AssemblyName name) =>
            IsShared(name.Name!) ? null : _resolver.ResolveAssemblyToPath(name) is { } file ? LoadFromAssemblyPath(file) : null;

        protected override nint LoadUnmanagedDll(string unmanagedDllName) => _resolver.ResolveUnmanagedDllToPath(unmanagedDllName) is { } file ? LoadUnmanagedDllFromPath(file) : 0;

        private static bool IsShared(string name) => name is "ModelZoo.Contracts" or "ModelZoo.Inference" or "ModelZoo.Networks" or "System.Numerics.Tensors" || name.StartsWith("System.", StringComparison.Ordinal);
    }
}
