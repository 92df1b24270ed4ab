using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using ModelZoo.Contracts;
using ModelZoo.Host.Containment;

namespace ModelZoo.Host.Loading;

/// <summary>A plugin in memory: its load context, its table of models, and a count of those who use it.</summary>
internal sealed class LoadedPlugin
{
    private readonly Lock _lock = new();
    private readonly Lock _waking = new();
    private readonly Func<LoadedPlugin, LoadedPlugin>? _load;
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private AssemblyLoadContext? _context;
    private IModelPlugin? _plugin;
    private int _leases;
    private bool _draining;
    private bool _unloaded;

    public LoadedPlugin(string name, string path, AssemblyLoadContext context, IModelPlugin plugin) => (Name, Path, _context, _plugin) = (name, path, context, plugin);

    /// <summary>A plugin whose table is remembered.</summary>
    /// <param name="path">Folder, DLL or archive that it comes from.</param>
    /// <param name="table">What is remembered.</param>
    /// <param name="load">Loads it, when its code is needed.</param>
    /// <param name="wakeAsync">Calls <see cref="Wake"/> on a thread of its own, within the time that a plugin may take.</param>
    public LoadedPlugin(string path, PluginTable table, Func<LoadedPlugin, LoadedPlugin> load, Func<LoadedPlugin, CancellationToken, Task<IModelPlugin>> wakeAsync)
    {
        (Name, Path, Version, _load) = (table.File.Name, path, table.Inspection.Version, load);
        Digest = new(() => PluginDigest.Of(path));
        _plugin = new SleepingPlugin(table, cancel => wakeAsync(this, cancel), Wake);
    }

    /// <summary>Name of the main assembly.</summary>
    public string Name { get; }

    /// <summary>SHA-256 of the files that were loaded, computed when first asked for.</summary>
    public Lazy<string> Digest { get; set; } = new("unknown");

    /// <summary>Version of the main assembly.</summary>
    public Version Version { get; init; } = new();

    /// <summary>Folder, DLL or archive that it comes from.</summary>
    public string Path { get; }

    /// <summary>What it did wrong since it was loaded.</summary>
    public FaultCount Faults { get; } = new();

    /// <summary>What it brings.</summary>
    /// <exception cref="ModelZooException">It was unloaded.</exception>
    public IModelPlugin Plugin => _plugin ?? throw Gone();

    /// <summary>Ids of its architectures; none when it was unloaded.</summary>
    public IReadOnlyList<string> Ids => _plugin is { } plugin ? [.. plugin.Architectures.Select(architecture => architecture.Card.Id)] : [];

    /// <summary>Those who use it now.</summary>
    public int Leases => Volatile.Read(ref _leases);

    /// <summary>False while only its table is known, and none of its code is here.</summary>
    public bool IsAwake => _load is null || _context is not null;

    /// <summary>True when its code lives in that load context.</summary>
    public bool IsIn(AssemblyLoadContext context) => ReferenceEquals(_context, context);

    /// <summary>Keeps the plugin until the lease is disposed; null when it is on its way out.</summary>
    public IDisposable? TryLease()
    {
        lock (_lock)
        {
            if (_draining) return null;
            _leases++;
            return new Lease(this);
        }
    }

    /// <summary>The plugin itself; loads it when only its table is here.</summary>
    /// <exception cref="ModelZooException">It cannot be loaded any more, or was unloaded.</exception>
    public IModelPlugin Wake()
    {
        lock (_waking)
        {
            if (IsAwake || _unloaded) return Plugin;
            var awake = _load!(this);
            lock (_lock)
            {
                if (!_unloaded) (_context, _plugin, Digest) = (awake._context, awake._plugin, awake.Digest);
                else awake.Unload();
            }

            return Plugin;
        }
    }

    /// <summary>Takes no more leases and ends when the last is given back.</summary>
    public Task DrainAsync()
    {
        lock (_lock)
        {
            _draining = true;
            if (_leases == 0) _drained.TrySetResult();
        }

        return _drained.Task;
    }

    /// <summary>Lets go of the plugin, and gives a weak reference that dies with its load context. Not inlined, so that no frame keeps what it let go of.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public WeakReference Unload()
    {
        lock (_lock)
        {
            var reference = new WeakReference(_context, trackResurrection: true);
            _unloaded = true;
            _plugin = null;
            _context?.Unload();
            _context = null;
            return reference;
        }
    }

    private ModelZooException Gone() => new(ErrorCodes.PluginFailed, $"The plugin {Name} was unloaded.");

    private void Release()
    {
        lock (_lock)
        {
            if (--_leases == 0 && _draining) _drained.TrySetResult();
        }
    }

    private sealed class Lease(LoadedPlugin plugin) : IDisposable
    {
        private LoadedPlugin? _plugin = plugin;

        public void Dispose() => Interlocked.Exchange(ref _plugin, null)?.Release();
    }
}
