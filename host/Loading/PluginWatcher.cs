using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Loading;

/// <summary>
/// Keeps the plugins of the manifest's watch folders as their files are. Folders are looked at five times a second, which works on network shares and in containers too; a copy that is under way is waited out: a plugin is taken when
/// its sizes and times have stood still between two looks and nobody writes it.
/// </summary>
internal sealed class PluginWatcher(HostManifest manifest, PluginLifecycle lifecycle, ILogger<PluginWatcher> log) : BackgroundService
{
    /// <summary>Time between two looks.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly Dictionary<string, string> _loaded = [];
    private Dictionary<string, string> _seen = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (manifest.Watch.Count == 0) return;
        using var timer = new PeriodicTimer(Interval);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false)) await LookAsync(stoppingToken).ConfigureAwait(false);
    }

    /// <summary>Looks once: takes what has come to rest, lets go what is gone.</summary>
    internal async Task LookAsync(CancellationToken cancel)
    {
        var now = new Dictionary<string, string>();
        foreach (var path in manifest.Watch.Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries).Where(PluginPaths.LooksLikePlugin))
        {
            if (Signature(path) is { } signature) now[path] = signature;
        }

        foreach (var path in _loaded.Keys.Except(now.Keys).Where(path => !Path.Exists(path)).ToList())
        {
            _loaded.Remove(path);
            Follow(lifecycle.RemoveAsync(path), path);
        }

        foreach (var (path, signature) in now)
        {
            if (_loaded.GetValueOrDefault(path) == signature || _seen.GetValueOrDefault(path) != signature || IsBeingWritten(path)) continue;
            _loaded[path] = signature;
            var (_, departure) = await lifecycle.LoadAsync(new(path, "watch folder"), path, cancel).ConfigureAwait(false);
            if (departure is not null) Follow(departure, path);
        }

        _seen = now;
    }

    private void Follow(Task departure, string path) => departure.ContinueWith(
        task => log.LogError(task.Exception, "{Path} could not be taken out", path), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);

    private static string? Signature(string path)
    {
        try
        {
            var files = Directory.Exists(path) ? new DirectoryInfo(path).EnumerateFiles("*", SearchOption.AllDirectories) : [new FileInfo(path)];
            return string.Join('|', files.OrderBy(file => file.FullName, StringComparer.Ordinal).Select(file => $"{file.FullName}:{file.Length}:{file.LastWriteTimeUtc.Ticks}"));
        }
        catch (IOException)
        {
            return null; // it changes while we look
        }
    }

    private static bool IsBeingWritten(string path)
    {
        try
        {
            foreach (var file in Directory.Exists(path) ? Directory.EnumerateFiles(path, "*.dll", SearchOption.AllDirectories) : [path])
            {
                using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read);
            }

            return false;
        }
        catch (IOException)
        {
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            return false; // it is not ours to read; loading will say so
        }
    }
}
