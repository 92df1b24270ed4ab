using System.Diagnostics;

namespace ModelZoo.Host.Loading;

/// <summary>
/// Copies of plugins that are loaded in their place, so that the originals can be replaced while the host runs: a mapped file must not change under its reader.
/// </summary>
internal static class ShadowCopies
{
    /// <summary>Deletes the copies of processes that are gone. One that cannot be deleted is left for the next start.</summary>
    public static void Sweep(string cache)
    {
        var running = Path.Combine(cache, "running");
        if (!Directory.Exists(running)) return;
        foreach (var folder in Directory.EnumerateDirectories(running))
        {
            if (!int.TryParse(Path.GetFileName(folder).Split('-')[0], out var process) || IsAlive(process)) continue;
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // Somebody still reads it, or it is not ours.
            }
        }
    }

    /// <summary>The plugin's copy; one folder per process and load. Other plugins that lie beside a single DLL are left out.</summary>
    public static PluginFile Copy(PluginFile file, string cache)
    {
        var target = Path.Combine(cache, "running", $"{Environment.ProcessId}-{Guid.NewGuid():N}");
        foreach (var source in Directory.EnumerateFiles(file.Folder, "*", SearchOption.AllDirectories).Where(source => source == file.Assembly || !PluginFile.IsPlugin(source)))
        {
            var copy = Path.Combine(target, Path.GetRelativePath(file.Folder, source));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(source, copy);
        }

        return new(target, Path.Combine(target, Path.GetRelativePath(file.Folder, file.Assembly)));
    }

    private static bool IsAlive(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
