using System.Runtime.CompilerServices;
using ModelZoo.Host.Containment;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Models;

namespace ModelZoo.Host.Loading;

/// <summary>What became of a plugin that left.</summary>
/// <param name="Name">The plugin.</param>
/// <param name="IsGone">True when its load context was seen to die.</param>
/// <param name="Roots">What seems to hold it, when it did not; and files that it left open.</param>
internal sealed record UnloadOutcome(string Name, bool IsGone, IReadOnlyList<string> Roots);

/// <summary>
/// Plugins that come and go while the host runs. A new version loads beside the old and takes new requests only when it is ready; the old one finishes what it has, lets its models go and is unloaded, which a weak reference proves.
/// One that is condemned for its faults goes the same way, and stays out.
/// </summary>
internal sealed class PluginLifecycle
{
    private readonly PluginCatalog _catalog;
    private readonly ModelPool _pool;
    private readonly PluginLoadSettings _settings;
    private readonly PluginFaults _faults;
    private readonly PluginQuarantine _quarantine;
    private readonly ILogger<PluginLifecycle> _log;

    public PluginLifecycle(PluginCatalog catalog, ModelPool pool, PluginLoadSettings settings, PluginFaults faults, PluginQuarantine quarantine, ILogger<PluginLifecycle> log)
    {
        (_catalog, _pool, _settings, _faults, _quarantine, _log) = (catalog, pool, settings, faults, quarantine, log);
        faults.Condemned = Condemn;
    }

    /// <summary>Loads a plugin, or replaces the one of that path. When the new one cannot serve, the old one goes on.</summary>
    /// <returns>The record as it stands now, and the old plugin's departure; null when there was none.</returns>
    public async Task<(PluginRecord Record, Task<UnloadOutcome>? Departure)> LoadAsync(PluginEntry entry, string path, CancellationToken cancel = default)
    {
        var fresh = await _catalog.LoadAsync(entry, path, cancel).ConfigureAwait(false);
        var old = _catalog.Plugins.FirstOrDefault(record => record.Path == path);
        if (old is { State: PluginState.Ready } && fresh.State != PluginState.Ready)
        {
            fresh = old with { Reason = $"The files changed, but the new version does not serve, so this one goes on. {fresh.Reason}" };
            _catalog.Put(fresh);
            _log.LogWarning("{Plugin}: {Reason}", fresh.Name, fresh.Reason);
            return (fresh, null);
        }

        _catalog.Put(fresh);
        _log.LogInformation("{Plugin} is {State} after {Milliseconds} ms. {Reason}", fresh.Name, fresh.State, fresh.LoadTime.TotalMilliseconds, fresh.Reason);
        return (fresh, old is { State: PluginState.Ready, Loaded: { } leaving } ? DepartAsync(leaving) : null); // one that drains departs already
    }

    /// <summary>Takes a plugin out; requests that run are finished first.</summary>
    public async Task<UnloadOutcome?> RemoveAsync(string path)
    {
        if (_catalog.Plugins.FirstOrDefault(record => record.Path == path) is not { } record) return null;
        if (record.Loaded is not { } leaving)
        {
            _catalog.Drop(path);
            return null;
        }

        _catalog.Put(record with { State = PluginState.Draining, Reason = "It was taken out and finishes its requests." });
        var outcome = await DepartAsync(leaving).ConfigureAwait(false);
        var reason = outcome.IsGone ? "It was taken out." : $"It was taken out, but something holds its load context: {string.Join("; ", outcome.Roots)}";
        _catalog.Change(leaving, drained => drained with { State = PluginState.Unloaded, Loaded = null, Reason = reason });
        return outcome;
    }

    /// <summary>Lets the plugin of that path out of quarantine and loads it again; null when there is none.</summary>
    public async Task<PluginRecord?> ReleaseAsync(string path, CancellationToken cancel = default)
    {
        _quarantine.Forgive(path);
        return _catalog.Plugins.FirstOrDefault(record => record.Path == path && record.IsQuarantined) is { } held ? (await LoadAsync(held.Entry, path, cancel).ConfigureAwait(false)).Record : null;
    }

    /// <summary>Loads those again that somebody let out of quarantine, such as `modelzoo plugins release` in another process.</summary>
    public async Task ReviewAsync(CancellationToken cancel = default)
    {
        var held = _catalog.Plugins.Where(record => record.IsQuarantined).ToList();
        if (held.Count == 0) return;
        var condemned = _quarantine.Entries.Where(entry => entry.IsCondemned).Select(entry => entry.Path).ToHashSet();
        foreach (var record in held.Where(record => !condemned.Contains(record.Path))) await LoadAsync(record.Entry, record.Path, cancel).ConfigureAwait(false);
    }

    // Out of the table at once, so that no request finds it; what runs is finished, and then it is unloaded.
    private void Condemn(LoadedPlugin plugin, string why)
    {
        var entry = _quarantine.Condemn(plugin.Name, plugin.Path, plugin.Digest.Value, why);
        _log.LogError("{Plugin} is in quarantine: {Reason}", plugin.Name, why);
        var brought = plugin.Ids;
        if (_catalog.Change(plugin, record => record with { State = PluginState.Failed, IsQuarantined = true, Loaded = null, Brought = brought, Reason = entry.Sentence }) is null) return; // it had left already
        _ = DepartAsync(plugin);
    }

    private async Task<UnloadOutcome> DepartAsync(LoadedPlugin plugin)
    {
        var folders = FoldersOf(plugin);
        await Task.WhenAll(_pool.RetireAsync(plugin), plugin.DrainAsync()).ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // its models are out of the pool when the caller goes on
        var context = plugin.Unload();
        JsonCaches.Clear();
        await PatientlyAsync(() => !context.IsAlive).ConfigureAwait(false);
        IReadOnlyList<string> open = [];
        await PatientlyAsync(() => (open = LeakedFiles.Under(folders.Except(FoldersInUse()))).Count == 0).ConfigureAwait(false); // mapped weights go when they are collected
        var roots = context.IsAlive ? UnloadRoots.Find(context) : [.. open.Select(file => $"it left {file} open")];
        if (roots.Count == 0) return new(plugin.Name, true, roots);
        _log.LogError("{Plugin} was unloaded, but {What}. {Roots}", plugin.Name, context.IsAlive ? "its load context lives" : "it left something behind", string.Join("; ", roots));
        _faults.Report(plugin, new(FaultKind.Leak, $"it left something behind when it was unloaded: {string.Join("; ", roots)}"));
        return new(plugin.Name, !context.IsAlive, roots);
    }

    private async Task PatientlyAsync(Func<bool> done)
    {
        for (var start = Environment.TickCount64; !done() && Environment.TickCount64 - start < _settings.UnloadPatience.TotalMilliseconds;)
        {
            Collect();
            await Task.Delay(20).ConfigureAwait(false);
        }
    }

    // The checkpoints of its models.
    private List<string> FoldersOf(LoadedPlugin plugin) => [.. _pool.Residents.Where(model => model.Plugin == plugin).Select(model => model.Source.Folder).OfType<string>()];

    private IEnumerable<string> FoldersInUse() => _pool.Residents.Select(model => model.Source.Folder).OfType<string>();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Collect()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
        GC.WaitForPendingFinalizers();
    }
}
