using System.Collections.Immutable;
using System.Diagnostics;
using ModelZoo.Contracts;
using ModelZoo.Host.Containment;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Loading;

/// <summary>The plugins of this host and their states. Reading takes no lock; each change makes a new table.</summary>
internal sealed class PluginCatalog(IPluginLoader loader, PluginLoadSettings settings, PluginQuarantine quarantine, CrashMarks marks)
{
    private readonly PluginTables? _tables = settings.Tables is { } folder ? new(folder) : null;
    private ImmutableList<PluginRecord> _plugins = [];

    /// <summary>Every plugin, ready or not, in order.</summary>
    public IReadOnlyList<PluginRecord> Plugins => Volatile.Read(ref _plugins);

    /// <summary>The plugins that serve.</summary>
    public IEnumerable<LoadedPlugin> Ready => Plugins.Where(record => record.State == PluginState.Ready).Select(record => record.Loaded!);

    /// <summary>Loads what the manifest names, side by side. A plugin that fails has its reason; the others go on.</summary>
    public async Task LoadAsync(IEnumerable<PluginEntry> entries, CancellationToken cancel = default)
    {
        if (settings.ShadowCopy) ShadowCopies.Sweep(settings.Cache);
        var records = await Task.WhenAll(PluginPaths.ExpandAll(entries).Select(pair => LoadAsync(pair.Entry, pair.Path, cancel))).ConfigureAwait(false);
        ImmutableInterlocked.Update(ref _plugins, (before, more) => before.AddRange(more), records);
    }

    /// <summary>The architecture of that id and the plugin that brings it; of several, the one named last.</summary>
    public (LoadedPlugin Plugin, ModelArchitecture Architecture)? Find(ModelId id)
    {
        var name = id.WithoutTag.ToString();
        foreach (var plugin in Ready.Reverse())
        {
            if (plugin.Plugin.Architectures.FirstOrDefault(architecture => architecture.Card.Id == name) is { } found) return (plugin, found);
        }

        return null;
    }

    /// <summary>Puts a record in the place of the one of its path, or at the end.</summary>
    internal void Put(PluginRecord record) => ImmutableInterlocked.Update(ref _plugins, static (before, record) =>
        before.FindIndex(other => other.Path == record.Path) is >= 0 and var at ? before.SetItem(at, record) : before.Add(record), record);

    /// <summary>Changes the record of a loaded plugin, if it is still there, and gives it as it is then.</summary>
    internal PluginRecord? Change(LoadedPlugin plugin, Func<PluginRecord, PluginRecord> change)
    {
        PluginRecord? changed = null;
        ImmutableInterlocked.Update(ref _plugins, before =>
        {
            var at = before.FindIndex(record => record.Loaded == plugin);
            return at < 0 ? before : before.SetItem(at, changed = change(before[at]));
        });
        return changed;
    }

    /// <summary>Puts records in the order of their paths, others behind them: of two plugins with one architecture the later serves it.</summary>
    internal void Arrange(List<string> paths) => ImmutableInterlocked.Update(ref _plugins, static (before, paths) =>
        [.. before.OrderBy(record => paths.IndexOf(record.Path) is >= 0 and var at ? at : int.MaxValue)], paths);

    /// <summary>Takes a record out of the table.</summary>
    internal void Drop(string path) => ImmutableInterlocked.Update(ref _plugins, static (before, path) => before.RemoveAll(record => record.Path == path), path);

    /// <summary>One plugin as it turns out, without changing the table.</summary>
    internal async Task<PluginRecord> LoadAsync(PluginEntry entry, string path, CancellationToken cancel)
    {
        var record = new PluginRecord { Name = Path.GetFileNameWithoutExtension(path), Path = path, Entry = entry, State = PluginState.Discovered };
        if (!entry.Enabled) return record with { State = PluginState.Disabled, Reason = "It is switched off in the manifest." };

        var watch = Stopwatch.StartNew();
        record = Remembered(record) ?? await InTimeAsync(() => Load(record), static late => late.Loaded?.Unload(), () => Hung(record), cancel).ConfigureAwait(false);
        return record with { LoadTime = watch.Elapsed };
    }

    // A thread of its own: a plugin that hangs while it is made keeps no thread of the pool.
    private async Task<T> InTimeAsync<T>(Func<T> work, Action<T> late, Func<T> hung, CancellationToken cancel)
    {
        var running = Task.Factory.StartNew(work, cancel, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            return await running.WaitAsync(settings.Timeout, cancel).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            _ = running.ContinueWith(done => late(done.Result), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            return hung();
        }
    }

    // Listed from what it said before; loaded when its code is needed.
    private PluginRecord? Remembered(PluginRecord record)
    {
        try
        {
            if (_tables?.Find(record.Path) is not { } table || quarantine.Holds(record.Path) || (record.Entry.Sha256 is { } pin && PluginDigest.Of(record.Path) != pin)) return null;
            return record with
            {
                Name = table.File.Name, File = table.File, Inspection = table.Inspection, State = PluginState.Ready,
                Loaded = new LoadedPlugin(record.Path, table, asleep => Wake(record, asleep), (asleep, cancel) => InTimeAsync(asleep.Wake, _ => asleep.Unload(), () => throw Lost(asleep, Hung(record)), cancel)),
            };
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // loading says what is the matter
        }
    }

    // By itself, so that nothing that lives longer captures the plugin.
    private void Remember(PluginRecord record) => _tables?.Remember(record.Path, () => PluginTable.Of(record.File!, record.Inspection!, record.Loaded!.Plugin));

    private LoadedPlugin Wake(PluginRecord record, LoadedPlugin asleep)
    {
        var fresh = Load(record);
        if (fresh.Loaded is not { } awake) throw Lost(asleep, fresh);
        var inspection = fresh.Inspection;
        Change(asleep, listed => listed with { Inspection = inspection });
        return awake;
    }

    // It loaded once and does not any more: it leaves the table as if it had failed at the start.
    private ModelZooException Lost(LoadedPlugin asleep, PluginRecord now)
    {
        _tables?.Forget(asleep.Path);
        var brought = asleep.Ids;
        Change(asleep, listed => listed with { State = now.State, Reason = now.Reason, IsQuarantined = now.IsQuarantined, Loaded = null, Brought = brought });
        return new(ErrorCodes.PluginFailed, $"The plugin {asleep.Name} cannot be loaded any more.") { Where = asleep.Path, Remedy = now.Reason };
    }

    // A machine may be slow once; what hangs again is not tried a third time.
    private PluginRecord Hung(PluginRecord record)
    {
        var entry = quarantine.Strike(record.Name, record.Path, $"it did not load within {settings.Timeout.TotalSeconds:0.#} s");
        return record with
        {
            State = PluginState.Failed, IsQuarantined = entry.IsCondemned,
            Reason = $"It did not load within {settings.Timeout.TotalSeconds:0.#} s. Its constructor must be quick; a hanging one is left alone.{(entry.IsCondemned ? " " + entry.Sentence : "")}",
        };
    }

    private PluginRecord Load(PluginRecord record)
    {
        try
        {
            var file = PluginFile.Find(record.Path, settings.Cache);
            record = record with { Name = file.Name, File = file };
            if (record.Entry.Sha256 is { } pin && PluginDigest.Of(record.Path) is var digest && digest != pin)
                return record with { State = PluginState.Failed, Reason = $"Its SHA-256 is {digest}, and {record.Entry.Where} pins {pin}. If you trust the new files: `modelzoo plugins pin {record.Name}`." };
            var inspection = PluginInspector.Inspect(file.Assembly);
            record = record with { Inspection = inspection };
            if (quarantine.Refuses(record.Path) is { } refusal) return record with { State = PluginState.Failed, IsQuarantined = true, Reason = refusal };
            if (inspection.Problems.Count > 0)
                return record with { State = PluginState.Incompatible, Reason = $"Nothing of it was run: {string.Join("; ", inspection.Problems)}. Build it against this host's contracts." };
            var running = settings.ShadowCopy ? ShadowCopies.Copy(file, settings.Cache) : file;
            var origin = record.Path == file.Folder ? running.Folder : record.Path == file.Assembly ? running.Assembly : record.Path;
            using (marks.Begin(record.Name, record.Path)) record = record with { State = PluginState.Ready, Loaded = loader.Load(running, record.Path, new(() => PluginDigest.Of(origin))) };
            Remember(record);
            return record;
        }
        catch (ModelZooException error)
        {
            return record with { State = PluginState.Failed, Reason = error.Message };
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or BadImageFormatException)
        {
            return record with { State = PluginState.Failed, Reason = $"Its files cannot be read: {error.Message}" };
        }
    }
}

/// <summary>How plugins are loaded.</summary>
/// <param name="Cache">Folder for unpacked archives and copies.</param>
/// <param name="ShadowCopy">True loads copies, so that the originals can be replaced while the host runs.</param>
internal sealed record PluginLoadSettings(string Cache, bool ShadowCopy = false)
{
    /// <summary>Longest time that a plugin may take to load.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Folder of the tables of plugins that were loaded before; null loads every plugin anew.</summary>
    public string? Tables { get; init; }

    /// <summary>How long the host waits for an unloaded plugin's context to die before it says that something holds it.</summary>
    public TimeSpan UnloadPatience { get; init; } = TimeSpan.FromSeconds(10);
}
