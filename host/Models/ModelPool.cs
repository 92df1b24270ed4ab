using System.Diagnostics.Metrics;
using ModelZoo.Contracts;
using ModelZoo.Host.Containment;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Models;

/// <summary>
/// The models in memory. A model opens when it is first asked for, once however many ask; it is leased while in use, and leaves by least recent use when its device's budget is exceeded. A load that failed is not tried
/// again at once.
/// </summary>
internal sealed class ModelPool : IAsyncDisposable
{
    /// <summary>How long a failed load answers for itself before it is tried again.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly Dictionary<ModelRequest, ResidentModel> _models = [];
    private readonly HashSet<ResidentModel> _leaving = [];
    private readonly ModelResolver _resolver;
    private readonly LiveManifest _manifest;
    private readonly PluginFaults _faults;
    private readonly ModelMeter _meter;
    private readonly TimeProvider _clock;
    private long _uses;

    public ModelPool(ModelResolver resolver, LiveManifest manifest, PluginFaults faults, ModelMeter meter, TimeProvider clock)
    {
        (_resolver, _manifest, _faults, _meter, _clock) = (resolver, manifest, faults, meter, clock);
        meter.Observe(Bytes);
    }

    /// <summary>The models in memory with what they take.</summary>
    public IReadOnlyList<ResidentModel> Residents
    {
        get
        {
            lock (_lock) return [.. _models.Values];
        }
    }

    /// <summary>A model that stays until the lease is disposed.</summary>
    /// <exception cref="ModelZooException">It is unknown, cannot be opened, or does not fit into its device's budget.</exception>
    public async Task<ModelLease> AcquireAsync(ModelRequest request, CancellationToken cancel = default)
    {
        var resident = Join(_resolver.Canonical(request));
        return new(this, resident, await OpenAsync(resident, cancel).ConfigureAwait(false));
    }

    // A companion is used by the model that asked for it until that one is gone.
    internal async Task<IModel> AcquireAsync(ResidentModel owner, ModelId architecture, string folder, CancellationToken cancel)
    {
        ResidentModel companion;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(owner.IsClosing, owner);
            companion = Join(_resolver.Canonical(new(architecture, folder, owner.Source.Device, owner.Source.Precision)));
            if (Reaches(companion, owner))
            {
                companion.Users--;
                throw new ModelZooException(ErrorCodes.PluginFailed, $"{owner.Id} and {companion.Id} cannot each be the other's companion.") { Where = owner.Plugin.Name };
            }

            owner.Companions.Add(companion);
        }

        try
        {
            return await OpenAsync(companion, cancel).ConfigureAwait(false);
        }
        catch
        {
            lock (_lock) owner.Companions.Remove(companion);
            throw;
        }
    }

    // Ends as an open model, or gives back its use.
    private async Task<IModel> OpenAsync(ResidentModel resident, CancellationToken cancel)
    {
        try
        {
            var model = await resident.Load.WaitAsync(cancel).ConfigureAwait(false);
            await AdmitAsync(resident, model).ConfigureAwait(false);
            return model;
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            Leave(resident, failed: false);
            throw;
        }
        catch (Exception error)
        {
            var isNews = Leave(resident, failed: true);
            if (error is ModelZooException) throw;
            var what = $"{resident.Id} failed while it was opened: {error.GetType().Name}: {error.Message}";
            if (isNews) _faults.Report(resident.Plugin, new(FaultKind.Request, what));
            throw new ModelZooException(ErrorCodes.PluginFailed, what) { Where = resident.Plugin.Name };
        }
    }

    /// <summary>Lets a model go as soon as nobody uses it, and ends when it is gone; false when it was not open.</summary>
    public async Task<bool> RetireAsync(ModelId id)
    {
        List<ResidentModel> leaving;
        id = _resolver.Canonical(new(id)).Id;
        lock (_lock)
        {
            leaving = [.. _models.Values.Where(model => model.Id == id || model.Key.Id == id)];
            foreach (var model in leaving) Retire(model);
        }

        await Task.WhenAll(leaving.Select(model => model.Gone)).ConfigureAwait(false);
        return leaving.Count > 0;
    }

    /// <summary>Lets the models of a plugin go as soon as nobody uses them, and ends when they are gone. Requests from now on open them anew.</summary>
    public async Task RetireAsync(LoadedPlugin plugin)
    {
        List<ResidentModel> leaving;
        lock (_lock)
        {
            foreach (var model in _models.Values.Where(model => model.Plugin == plugin).ToList()) Retire(model);
            leaving = [.. _leaving.Where(model => model.Plugin == plugin)];
        }

        await Task.WhenAll(leaving.Select(model => model.Gone)).ConfigureAwait(false);
    }

    /// <summary>After the manifest changed: lets go what would be opened otherwise now, and what is idle beyond the budgets, as soon as nobody uses it. Requests from now on open it as the manifest says.</summary>
    public void Renew()
    {
        lock (_lock)
        {
            foreach (var resident in _models.Values.Where(resident => !IsCurrent(resident)).ToList()) Retire(resident);
            foreach (var (device, budget) in _manifest.Current.Memory)
            {
                while (Charged(device) > budget && LeastRecent(device) is { } idle) Retire(idle);
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        List<ResidentModel> all;
        lock (_lock)
        {
            all = [.. _models.Values];
            foreach (var model in all) Retire(model);
        }

        // Companions are idle when those that they work with are gone.
        while (all.FindAll(model => model.Users == 0 && !model.Gone.IsCompleted) is { Count: > 0 } idle) await Task.WhenAll(idle.Select(model => model.Gone)).ConfigureAwait(false);
    }

    internal void Release(ResidentModel resident) => Leave(resident, failed: false);

    private ResidentModel Join(ModelRequest request)
    {
        lock (_lock)
        {
            if (_models.TryGetValue(request, out var resident))
            {
                if (resident.FailedAt is not { } failed || _clock.GetUtcNow() - failed < RetryAfter)
                {
                    resident.Users++;
                    return resident;
                }

                Retire(resident);
            }

            // A plugin that is on its way out gives no lease; its successor is in the table by then.
            var resolved = _resolver.Resolve(request);
            IDisposable? lease;
            while ((lease = resolved.Plugin.TryLease()) is null) resolved = _resolver.Resolve(request);
            resident = new(request, resolved, lease, this) { Users = 1 };
            _models.Add(request, resident);
            return resident;
        }
    }

    // Counts the model's bytes once, and makes room for them.
    private Task AdmitAsync(ResidentModel resident, IModel model)
    {
        List<ResidentModel> evicted = [];
        lock (_lock)
        {
            if (resident.Memory is not null) return Task.CompletedTask;
            resident.Memory = new(model.Facts.MappedBytes, model.Facts.PrivateBytes, model.Facts.DeviceBytes);
            _meter.Loaded(resident.Id, resident.LoadTime);
            if (!_manifest.Current.Memory.TryGetValue(resident.Source.Device, out var budget)) return Task.CompletedTask;
            while (Charged(resident.Source.Device) > budget)
            {
                if (LeastRecent(resident.Source.Device) is not { } idle)
                {
                    Retire(resident);
                    throw new ModelZooException("model.over-budget", $"{resident.Id} does not fit into the memory budget of {resident.Source.Device}.")
                    {
                        Expected = $"{budget} bytes in all", Found = $"{resident.Memory.Value.Charged} bytes beside {Charged(resident.Source.Device)} in use", Remedy = "Raise \"memory\" in plugins.json, or wait until other models are idle.",
                    };
                }

                Retire(idle);
                evicted.Add(idle);
            }
        }

        return Task.WhenAll(evicted.Select(model => model.Gone));
    }

    private IEnumerable<Measurement<long>> Bytes()
    {
        foreach (var resident in Residents)
        {
            if (resident.Memory is not { } memory) continue;
            foreach (var (kind, bytes) in new[] { ("mapped", memory.Mapped), ("private", memory.Private), ("device", memory.Device) })
                yield return new(bytes, new("model", resident.Id.ToString()), new("device", resident.Source.Device), new("kind", kind));
        }
    }

    private bool IsCurrent(ResidentModel resident)
    {
        try
        {
            return _resolver.Resolve(resident.Key).IsSame(resident.Resolved);
        }
        catch (ModelZooException)
        {
            return false; // its name is gone
        }
    }

    private ResidentModel? LeastRecent(string device) => _models.Values.Where(model => model.Users == 0 && model.Source.Device == device).MinBy(model => model.LastUse);

    private long Charged(string device) => _models.Values.Where(model => model.Source.Device == device).Sum(model => model.Memory?.Charged ?? 0);

    // True for the first who says that the load failed.
    private bool Leave(ResidentModel resident, bool failed)
    {
        lock (_lock)
        {
            var isNews = failed && resident.FailedAt is null;
            resident.Users--;
            resident.LastUse = ++_uses;
            if (failed) resident.FailedAt ??= _clock.GetUtcNow();
            if (resident.Users == 0 && !resident.Load.IsCompleted) resident.IsAbandoned = true;
            if (resident.IsAbandoned || (resident.Retired && resident.Users == 0)) Retire(resident);
            return isNews;
        }
    }

    // Takes a model out of the table, and those that work with it; it is disposed at once, or when its last user leaves.
    private void Retire(ResidentModel resident)
    {
        if (_models.TryGetValue(resident.Key, out var current) && current == resident) _models.Remove(resident.Key);
        resident.Retired = true;
        foreach (var owner in _models.Values.Where(model => model.Companions.Contains(resident)).ToList()) Retire(owner);
        if (resident.Users > 0)
        {
            _leaving.Add(resident);
            return;
        }

        _leaving.Remove(resident);
        if (resident.IsClosing) return;
        resident.IsClosing = true;
        _ = Task.Run(() => CloseAsync(resident));
    }

    private async Task CloseAsync(ResidentModel resident)
    {
        await resident.DisposeAsync().ConfigureAwait(false);
        foreach (var companion in resident.Companions) Leave(companion, failed: false);
        resident.End();
    }

    // Whether a model is another one, or works with it.
    private static bool Reaches(ResidentModel from, ResidentModel to) => from == to || from.Companions.Exists(companion => Reaches(companion, to));
}

/// <summary>A model in use.</summary>
internal sealed class ModelLease(ModelPool pool, ResidentModel resident, IModel model) : IDisposable
{
    private ModelPool? _pool = pool;

    /// <summary>The model.</summary>
    public IModel Model { get; } = model;

    /// <summary>What is known about it.</summary>
    public ResidentModel Resident { get; } = resident;

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _pool, null)?.Release(Resident);
}
