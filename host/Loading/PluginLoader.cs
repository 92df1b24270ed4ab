using System.Reflection;
using System.Runtime.Loader;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Loading;

/// <summary>Makes a plugin from its files: checks metadata first, then loads and constructs.</summary>
internal interface IPluginLoader
{
    /// <summary>Loads a plugin whose metadata was found to fit.</summary>
    /// <param name="file">Its files.</param>
    /// <param name="path">Folder, DLL or archive that they come from.</param>
    /// <param name="digest">Their SHA-256.</param>
    /// <exception cref="ModelZooException">It cannot be loaded; the message has the inner-most cause.</exception>
    LoadedPlugin Load(PluginFile file, string path, Lazy<string> digest);
}

/// <summary>The loader of this host: one collectible context a plugin.</summary>
internal class PluginLoader : IPluginLoader
{
    public LoadedPlugin Load(PluginFile file, string path, Lazy<string> digest)
    {
        AssemblyLoadContext? context = null;
        try
        {
            var assembly = Open(file);
            context = AssemblyLoadContext.GetLoadContext(assembly)!;
            var type = assembly.GetCustomAttribute<ModelPluginAttribute>()?.Plugin ?? throw Failed("The assembly names no plugin.", file.Assembly);
            if (!typeof(IModelPlugin).IsAssignableFrom(type)) throw Failed($"{type.FullName} does not implement IModelPlugin.", file.Assembly);
            if (type.GetConstructor(Type.EmptyTypes) is null) throw Failed($"{type.FullName} has no public constructor without parameters.", file.Assembly);
            var plugin = (IModelPlugin)Activator.CreateInstance(type)!;
            Check(plugin, file);
            return new(file.Name, path, context, plugin) { Digest = digest, Version = assembly.GetName().Version ?? new() };
        }
        catch (Exception error)
        {
            context?.Unload();
            throw Explain(error, file);
        }
    }

    /// <summary>Loads the main assembly into a collectible context of its own.</summary>
    protected virtual Assembly Open(PluginFile file)
    {
        var context = new PluginLoadContext(file.Assembly);
        try
        {
            return context.LoadFromAssemblyPath(file.Assembly);
        }
        catch
        {
            context.Unload();
            throw;
        }
    }

    // The table must be readable and its ids well-formed before anybody looks a model up in it.
    private static void Check(IModelPlugin plugin, PluginFile file)
    {
        var seen = new HashSet<string>();
        foreach (var architecture in plugin.Architectures)
        {
            if (!ModelId.TryParse(architecture.Card.Id, out var id) || id.Tag is not null)
                throw Failed($"'{architecture.Card.Id}' is not the id of an architecture (family/architecture, in lower case).", file.Assembly);
            if (!seen.Add(architecture.Card.Id)) throw Failed($"The plugin brings {architecture.Card.Id} twice.", file.Assembly);
        }

        foreach (var metric in plugin.Metrics) ArgumentException.ThrowIfNullOrEmpty(metric.Name);
        foreach (var reader in plugin.DatasetReaders) ArgumentException.ThrowIfNullOrEmpty(reader.Name);
    }

    /// <summary>The inner-most cause, with the file and what to do about it.</summary>
    internal static ModelZooException Explain(Exception error, PluginFile file)
    {
        var cause = error;
        while (cause.InnerException is { } inner && cause is TargetInvocationException or TypeInitializationException or FileLoadException or AggregateException) cause = inner;
        return cause switch
        {
            ModelZooException known => known,
            FileNotFoundException missing => Failed($"The plugin needs {missing.FileName ?? "a file"}, which is not there.", file.Folder, "Copy the plugin's whole output folder."),
            DllNotFoundException native => Failed($"The plugin needs a native library: {native.Message.Split('\n')[0].TrimEnd()}", file.Folder, "Put it beside the plugin, or under runtimes/<rid>/native with a deps.json."),
            TypeLoadException or MissingMethodException or MissingFieldException => Failed($"The plugin does not fit this host: {cause.Message}", file.Assembly, "Build it against this host's contracts."),
            BadImageFormatException or FileLoadException => Failed($"An assembly cannot be loaded on this machine: {cause.Message}", file.Folder, "Build it for this processor, or for AnyCPU."),
            _ => Failed($"The plugin failed while it was made: {cause.GetType().Name}: {cause.Message}", file.Assembly, "Its constructor must be quick and without side effects; ask its author."),
        };
    }

    private static ModelZooException Failed(string what, string where, string? remedy = null) => new(ErrorCodes.PluginFailed, what) { Where = where, Remedy = remedy };
}
