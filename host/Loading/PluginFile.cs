using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Loading;

/// <summary>A plugin on disk: its folder and the assembly in it that names an <see cref="IModelPlugin"/>.</summary>
/// <param name="Folder">What belongs to the plugin.</param>
/// <param name="Assembly">The main assembly.</param>
internal sealed record PluginFile(string Folder, string Assembly)
{
    /// <summary>Name of the main assembly.</summary>
    public string Name => Path.GetFileNameWithoutExtension(Assembly);

    /// <summary>Finds the plugin of a folder, a DLL, a .nupkg or a .zip; archives are unpacked into <paramref name="cache"/>.</summary>
    /// <exception cref="ModelZooException">There is none, or several.</exception>
    public static PluginFile Find(string path, string cache)
    {
        if (Directory.Exists(path)) return InFolder(path, path);
        if (!File.Exists(path)) throw Failed("There is no such plugin.", path, "Build it, or correct the path in plugins.json.");
        switch (Path.GetExtension(path).ToLowerInvariant())
        {
            case ".nupkg" or ".zip":
                return InFolder(PluginArchive.Unpack(path, cache), path);
            case ".dll":
                return HasPlugin(path)
                    ? new(Path.GetDirectoryName(Path.GetFullPath(path))!, Path.GetFullPath(path))
                    : throw Failed("This assembly names no plugin.", path, "Add [assembly: ModelPlugin(typeof(MyPlugin))] to it, or name the right DLL.");
            default:
                throw Failed("A plugin is a folder, a .dll, a .nupkg or a .zip.", path, null);
        }
    }

    /// <summary>True when the assembly carries <see cref="ModelPluginAttribute"/>; nothing of it is run.</summary>
    /// <exception cref="ModelZooException">It is not a .NET assembly.</exception>
    public static bool HasPlugin(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            using var image = new PEReader(stream);
            if (!image.HasMetadata) throw Failed("This is not a .NET assembly.", path, "Native libraries belong beside the plugin, not in its place.");
            var metadata = image.GetMetadataReader();
            return metadata.IsAssembly && metadata.GetAssemblyDefinition().GetCustomAttributes().Any(handle => PluginMetadata.AttributeName(metadata, handle) == typeof(ModelPluginAttribute).FullName);
        }
        catch (Exception error) when (error is BadImageFormatException or InvalidOperationException)
        {
            throw Failed(new FileInfo(path).Length == 0 ? "This file is empty." : "This is not a .NET assembly.", path, "Copy the plugin again; the file may be incomplete.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Failed($"This file cannot be read: {error.Message}", path, null, error);
        }
    }

    private static PluginFile InFolder(string folder, string origin)
    {
        var found = Directory.EnumerateFiles(folder, "*.dll").Order(StringComparer.Ordinal)
            .Where(file => !SharedAssemblies.Contracts.ContainsKey(Path.GetFileNameWithoutExtension(file)) && IsPlugin(file)).ToList();
        return found.Count switch
        {
            1 => new(Path.GetFullPath(folder), Path.GetFullPath(found[0])),
            0 => throw Failed("No assembly here names a plugin.", origin, "Add [assembly: ModelPlugin(typeof(MyPlugin))] to it, and build it into this folder."),
            _ => throw Failed($"Several assemblies here name a plugin: {string.Join(", ", found.Select(Path.GetFileName))}.", origin, "Give each a folder of its own, or name the DLL."),
        };
    }

    /// <summary>True when the file is an assembly that names a plugin.</summary>
    public static bool IsPlugin(string file)
    {
        try
        {
            return Path.GetExtension(file).Equals(".dll", StringComparison.OrdinalIgnoreCase) && HasPlugin(file);
        }
        catch (ModelZooException)
        {
            return false; // a native or broken library beside the plugin
        }
    }

    private static ModelZooException Failed(string what, string path, string? remedy, Exception? inner = null) => new(ErrorCodes.PluginFailed, what, inner) { Where = path, Remedy = remedy };
}
