using System.Runtime.CompilerServices;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Models;

namespace ModelZoo.Host.Loading;

/// <summary>What became of a plugin that left.</summary>
/// <param name="Name">The plugin.</param>
/// <param name="IsGone">True when its load context was seen to die.</param>
/// <param name="Roots">What seems to hold it, when it did not.</param>
internal sealed record UnloadOutcome(string Name, bool IsGone, IReadOnlyList<string> Roots);

/// <summary>
/// Plugins that come and go while the host runs. A new version loads beside the old and takes new requests only when it is ready; the old one finishes what it has, lets its models go and is unloaded, which a weak reference proves.
/// </summary>
internal sealed class PluginLifecycle(PluginCatalog catalog, ModelPool pool, PluginLoadSettings settings, ILogger<PluginLifecycle> log)
{
    /// <summary>Loads a plugin, or replaces the one of that path. When the new one cannot serve, the old one goes on.</summary>
    /// <returns>The record as it stands now, and the old plugin's departure; null when there was none.</returns>
    public async Task<(PluginRecord Record, Task<UnloadOutcome>? Departure)> LoadAsync(PluginEntry entry, string path, CancellationToken cancel = default)
    {
        var fresh = await catalog.LoadAsync(entry, path, cancel).ConfigureAwait(false);
        var old = catalog.Plugins.FirstOrDefault(record => record.Path == path);
        if (old is { State: PluginState.Ready } && fresh.State != PluginState.Ready)
        {
            fresh = old with { Reason = $"The files changed, but the new version does not serve, so this one goes on. {fresh.Reason}" };
            catalog.Put(fresh);
            log.LogWarning("{Plugin}: {Reason}", fresh.Name, fresh.Reason);
            return (fresh, null);
        }

        catalog.Put(fresh);
        log.LogInformation("{Plugin} is {State} after {Milliseconds} ms. {Reason}", fresh.Name, fresh.State, fresh.LoadTime.TotalMilliseconds, fresh.Reason);
        return (fresh, old?.Loaded is { } leaving ? DepartAsync(leaving) : null);
    }

    /// <summary>Takes a plugin out; requests that run are finished first.</summary>
    public async Task<UnloadOutcome?> RemoveAsync(string path)
    {
        if (catalog.Plugins.FirstOrDefault(record => record.Path == path) is not { } record) return null;
        if (record.Loaded is not { } leaving)
        {
            catalog.Drop(path);
            return null;
        }

        catalog.Put(record with { State = PluginState.Draining, Reason = "It was taken out and finishes its requests." });
        var outcome = await DepartAsync(leaving).ConfigureAwait(false);
        catalog.Put(record with
        {
            State = PluginState.Unloaded, Loaded = null, Reason = outcome.IsGone ? "It was taken out." : $"It was taken out, but something holds its load context: {string.Join("; ", outcome.Roots)}",
        });
        return outcome;
    }

    private async Task<UnloadOutcome> DepartAsync(LoadedPlugin plugin)
    {
        await Task.WhenAll(pool.RetireAsync(plugin), plugin.DrainAsync()).ConfigureAwait(false);
        var context = plugin.Unload();
        JsonCaches.Clear();
        for (var start = Environment.TickCount64; context.IsAlive && Environment.TickCount64 - start < settings.UnloadPatience.TotalMilliseconds;)
        {
            Collect();
            if (context.IsAlive) await Task.Delay(20).ConfigureAwait(false);
        }

        var roots = context.IsAlive ? UnloadRoots.Find(context) : [];
        if (context.IsAlive) log.LogError("{Plugin} was unloaded, but its load context lives. {Roots}", plugin.Name, string.Join("; ", roots));
        return new(plugin.Name, !context.IsAlive, roots);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Collect()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
        GC.WaitForPendingFinalizers();
    }
}
