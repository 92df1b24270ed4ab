using System.Diagnostics;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;

namespace ModelZoo.Host.Models;

/// <summary>A model in memory, or on its way there: its load, its users, and what it takes.</summary>
internal sealed class ResidentModel
{
    private readonly CancellationTokenSource _abandoned = new();
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ResolvedModel _resolved;
    private readonly IDisposable _pluginLease;
    private readonly Lazy<Task<IModel>> _load;

    /// <param name="key">What is asked for.</param>
    /// <param name="resolved">What that is.</param>
    /// <param name="pluginLease">Keeps its plugin; disposed with it.</param>
    /// <param name="pool">What keeps its companions.</param>
    public ResidentModel(ModelRequest key, ResolvedModel resolved, IDisposable pluginLease, ModelPool pool)
    {
        (Key, _resolved, _pluginLease) = (key, resolved, pluginLease);
        var stop = _abandoned.Token;
        _load = new(() => Task.Run(async () =>
        {
            var started = Stopwatch.GetTimestamp();
            var model = await resolved.OpenAsync(new(pool, this), stop).ConfigureAwait(false);
            LoadTime = Stopwatch.GetElapsedTime(started);
            return model;
        }));
    }

    public ModelRequest Key { get; }

    public ModelId Id => _resolved.Source.Id;

    public LoadedPlugin Plugin => _resolved.Plugin;

    public ModelArchitecture Architecture => _resolved.Architecture;

    public ModelSource Source => _resolved.Source;

    public ResolvedModel Resolved => _resolved;

    /// <summary>Those who use it or wait for it; guarded by the pool's lock.</summary>
    public int Users { get; set; }

    /// <summary>When it was last given back, as a count of uses; guarded by the pool's lock.</summary>
    public long LastUse { get; set; }

    /// <summary>True when it shall go as soon as nobody uses it; guarded by the pool's lock.</summary>
    public bool Retired { get; set; }

    /// <summary>When its load failed.</summary>
    public DateTimeOffset? FailedAt { get; set; }

    /// <summary>What it takes, once it is open.</summary>
    public MemoryUse? Memory { get; set; }

    /// <summary>Time that opening took.</summary>
    public TimeSpan LoadTime { get; private set; }

    /// <summary>Ends when the model was disposed.</summary>
    public Task Gone => _gone.Task;

    /// <summary>The one load that all who ask share.</summary>
    public Task<IModel> Load => _load.Value;

    /// <summary>The models that it works with and is a user of; guarded by the pool's lock.</summary>
    public List<ResidentModel> Companions { get; } = [];

    /// <summary>True from when it is disposed, once; guarded by the pool's lock.</summary>
    public bool IsClosing { get; set; }

    /// <summary>True when nobody waits for the load any more; it is stopped when the model is disposed. Guarded by the pool's lock.</summary>
    public bool IsAbandoned { get; set; }

    /// <summary>Stops a load that is under way, disposes the model and lets go of its plugin; <see cref="Gone"/> is for the pool to say. Runs code of the plugin: never under a lock.</summary>
    public async Task DisposeAsync()
    {
        try
        {
            if (!_load.IsValueCreated) return;
            if (!_load.Value.IsCompleted) await _abandoned.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await (await _load.Value.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
#pragma warning disable CA1031 // a model whose load failed, or that fails on its way out, must not keep its plugin
        catch (Exception)
        {
        }
#pragma warning restore CA1031
        finally
        {
            _abandoned.Dispose();
            _pluginLease.Dispose();
        }
    }

    /// <summary>Says that it is gone.</summary>
    public void End() => _gone.TrySetResult();
}

/// <summary>Measured bytes of a model.</summary>
/// <param name="Mapped">Weights in mapped files, shared with the page cache.</param>
/// <param name="Private">Weights that the process holds for itself.</param>
/// <param name="Device">Bytes on another device.</param>
internal readonly record struct MemoryUse(long Mapped, long Private, long Device)
{
    /// <summary>What counts against a budget: mapped files can be dropped by the system at any time.</summary>
    public long Charged => Private + Device;
}
