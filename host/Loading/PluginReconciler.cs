using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Loading;

/// <summary>Brings the plugins to what a manifest says: new ones are loaded, those that are not named any more finish their requests and leave, and one whose pin changed is checked again.</summary>
internal sealed class PluginReconciler(PluginCatalog catalog, PluginLifecycle lifecycle, ILogger<PluginReconciler> log)
{
    /// <summary>Ends when what is new serves; what leaves drains by itself.</summary>
    public async Task ApplyAsync(HostManifest manifest, CancellationToken cancel)
    {
        var wanted = PluginPaths.ExpandAll(manifest.Plugins).ToList();
        var paths = wanted.Select(pair => pair.Path).ToList();
        foreach (var record in catalog.Plugins.Where(record => record.Entry.Where != PluginWatcher.Where && !paths.Contains(record.Path))) Leave(record);
        await Task.WhenAll(wanted.Select(pair => ApplyAsync(pair.Entry, pair.Path, cancel))).ConfigureAwait(false);
        catalog.Arrange(paths);
    }

    private async Task ApplyAsync(PluginEntry entry, string path, CancellationToken cancel)
    {
        var record = catalog.Plugins.FirstOrDefault(record => record.Path == path);
        if (!entry.Enabled)
        {
            if (record is { State: PluginState.Disabled }) return;
            if (record is not null) Leave(record);
            if (record?.Loaded is null) catalog.Put(await catalog.LoadAsync(entry, path, cancel).ConfigureAwait(false)); // else the one that drains has the line
            return;
        }

        if (record is { State: PluginState.Ready, Loaded: { } loaded } && record.Entry.Sha256 == entry.Sha256) catalog.Change(loaded, same => same with { Entry = entry });
        else if (record is not { IsQuarantined: true }) await lifecycle.LoadAsync(entry, path, cancel).ConfigureAwait(false);
    }

    private void Leave(PluginRecord record)
    {
        if (record.State is not (PluginState.Draining or PluginState.Unloaded)) _ = RemoveAsync(record);
    }

    private async Task RemoveAsync(PluginRecord record)
    {
        try
        {
            await lifecycle.RemoveAsync(record.Path).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // it drains in the background: its misfortune is the log's
        catch (Exception error)
        {
            log.LogError(error, "{Plugin} could not be taken out", record.Name);
        }
#pragma warning restore CA1031
    }
}
