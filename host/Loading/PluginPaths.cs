using System.IO.Enumeration;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Loading;

/// <summary>Patterns in plugin paths.</summary>
internal static class PluginPaths
{
    /// <summary>The paths of all entries, each once and in order; an entry that names a path says more than a pattern that matches it.</summary>
    public static IEnumerable<(PluginEntry Entry, string Path)> ExpandAll(IEnumerable<PluginEntry> entries)
    {
        var exact = entries.GroupBy(entry => entry.Path).ToDictionary(group => group.Key, group => group.Last());
        return entries.SelectMany(Expand).DistinctBy(pair => pair.Path).Select(pair => (exact.GetValueOrDefault(pair.Path, pair.Entry), pair.Path));
    }

    /// <summary>The paths that an entry means: itself, or what matches when its last part is a pattern. Folders without any DLL are no plugins and do not match.</summary>
    public static IEnumerable<(PluginEntry Entry, string Path)> Expand(PluginEntry entry)
    {
        var pattern = Path.GetFileName(entry.Path);
        if (!pattern.AsSpan().ContainsAny('*', '?')) return [(entry, entry.Path)];
        var folder = Path.GetDirectoryName(entry.Path)!;
        if (!Directory.Exists(folder)) return [];
        return Directory.EnumerateFileSystemEntries(folder)
            .Where(path => FileSystemName.MatchesSimpleExpression(pattern, Path.GetFileName(path)) && LooksLikePlugin(path))
            .Order(StringComparer.Ordinal).Select(path => (entry, path));
    }

    /// <summary>True for folders with a DLL in them, DLLs and archives.</summary>
    public static bool LooksLikePlugin(string path) => Directory.Exists(path)
        ? Directory.EnumerateFiles(path, "*.dll").Any() || Path.GetExtension(path).Equals(".dll", StringComparison.OrdinalIgnoreCase)
        : Path.GetExtension(path).ToLowerInvariant() is ".dll" or ".nupkg" or ".zip";
}
