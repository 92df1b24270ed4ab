namespace ModelZoo.Host.Containment;

/// <summary>Files that this process still holds open or mapped. The system says so on Linux; elsewhere nothing is found.</summary>
internal static class LeakedFiles
{
    /// <summary>Open and mapped files below these folders, each once.</summary>
    public static IReadOnlyList<string> Under(IEnumerable<string> folders)
    {
        var roots = folders.Select(folder => Path.GetFullPath(folder).TrimEnd('/') + "/").Distinct().ToList();
        if (!OperatingSystem.IsLinux() || roots.Count == 0) return [];
        return [.. Open().Concat(Mapped()).Where(path => roots.Exists(root => path.StartsWith(root, StringComparison.Ordinal))).Distinct().Order(StringComparer.Ordinal)];
    }

    private static IEnumerable<string> Open()
    {
        foreach (var descriptor in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            string? target;
            try
            {
                target = new FileInfo(descriptor).LinkTarget;
            }
            catch (IOException)
            {
                continue; // closed while we looked
            }

            if (target is not null) yield return target;
        }
    }

    // address perms offset device inode path
    private static IEnumerable<string> Mapped() => File.ReadLines("/proc/self/maps").Select(line => line.IndexOf('/') is >= 0 and var at ? line[at..] : "").Where(path => path.Length > 0);
}
