using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Loading;

/// <summary>
/// Keeps the plugins of the manifest's watch folders as their files are. Folders are looked at five times a second, which works on network shares and in containers too; a copy that is under way is waited out: a plugin is taken when
/// its sizes and times have stood still between two looks and nobody writes it.
/// </summary>
internal sealed class PluginWatcher(LiveManifest manifest, PluginLifecycle lifecycle, ILogger<PluginWatcher> log) : BackgroundService
{
    /// <summary>Time between two looks.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    /// <summary>What stands in the place of a manifest's line for plugins of watch folders.</summary>
    public const string Where = "watch folder";

    private readonly Dictionary<string, string> _loaded = [];
    private readonly Dictionary<string, Task> _work = [];
    private Dictionary<string, string> _seen = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false)) _ = LookAsync(stoppingToken);
    }

    /// <summary>Looks once: takes what has come to rest, lets go what is gone. What is done to one path is done in order; paths do not wait for each other.</summary>
    /// <returns>Ends when what was begun is done; the next look need not wait for it.</returns>
    internal Task LookAsync(CancellationToken cancel)
    {
        var now = Signatures();
        foreach (var path in _loaded.Keys.Except(now.Keys).Where(path => !Path.Exists(path) || !IsWatched(path)).ToList())
        {
            _loaded.Remove(path);
            Then(path, () =>
            {
                _ = Guarded(path, () => lifecycle.RemoveAsync(path)); // it drains by itself; what comes to this path meanwhile is taken at once
                return Task.CompletedTask;
            });
        }

        foreach (var (path, signature) in now)
        {
            if (_loaded.GetValueOrDefault(path) == signature || _seen.GetValueOrDefault(path) != signature || IsBeingWritten(path)) continue;
            _loaded[path] = signature;
            Then(path, async () =>
            {
                var (_, departure) = await lifecycle.LoadAsync(new(path, Where), path, cancel).ConfigureAwait(false);
                if (departure is not null) _ = Guarded(path, () => departure);
            });
        }

        _seen = now;
        Then("quarantine", () => lifecycle.ReviewAsync(cancel));
        foreach (var path in _work.Where(pair => pair.Value.IsCompleted).Select(pair => pair.Key).ToList()) _work.Remove(path);
        return Task.WhenAll(_work.Values);
    }

    private Dictionary<string, string> Signatures()
    {
        try
        {
            return manifest.Current.Watch.Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries).Where(PluginPaths.LooksLikePlugin)
                .Select(path => (Path: path, Signature: Signature(path))).Where(pair => pair.Signature is not null).ToDictionary(pair => pair.Path, pair => pair.Signature!);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return _seen; // a folder goes while we look: the next look knows more
        }
    }

    // A manifest that is read again may name other folders.
    private bool IsWatched(string path) => manifest.Current.Watch.Any(folder => Path.TrimEndingDirectorySeparator(folder) == Path.GetDirectoryName(path));

    private void Then(string path, Func<Task> next)
    {
        var before = _work.GetValueOrDefault(path, Task.CompletedTask);
        _work[path] = Guarded(path, async () =>
        {
            await before.ConfigureAwait(false);
            await next().ConfigureAwait(false);
        });
    }

    private async Task Guarded(string path, Func<Task> work)
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
#pragma warning disable CA1031 // one path's misfortune must not end the watch over the others
        catch (Exception error)
        {
            log.LogError(error, "{Path} could not be taken in or out", path);
        }
#pragma warning restore CA1031
    }

    private static string? Signature(string path)
    {
        try
        {
            var files = Directory.Exists(path) ? new DirectoryInfo(path).EnumerateFiles("*", SearchOption.AllDirectories) : [new FileInfo(path)];
            return string.Join('|', files.OrderBy(file => file.FullName, StringComparer.Ordinal).Select(file => $"{file.FullName}:{file.Length}:{file.LastWriteTimeUtc.Ticks}"));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // it changes while we look, or is not ours to see
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
