using ModelZoo.Contracts;
using ModelZoo.Host.Loading;

namespace ModelZoo.Host.Models;

/// <summary>A model in memory, or on its way there: its load, its users, and what it takes.</summary>
internal sealed class ResidentModel(ModelRequest key, ResolvedModel resolved, IDisposable pluginLease)
{
    private readonly CancellationTokenSource _abandoned = new();
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task<IModel>? _load;

    public ModelRequest Key { get; } = key;

    public ModelId Id => resolved.Source.Id;

    public LoadedPlugin Plugin => resolved.Plugin;

    public ModelArchitecture Architecture => resolved.Architecture;

    public ModelSource Source => resolved.Source;

    public ResolvedModel Resolved => resolved;

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
    public TimeSpan LoadTime { get; set; }

    /// <summary>Ends when the model was disposed.</summary>
    public Task Gone => _gone.Task;

    /// <summary>The one load that all who ask share.</summary>
    public Task<IModel> Load => _load ??= Task.Run(async () => await resolved.Architecture.Open(resolved.Source, _abandoned.Token).ConfigureAwait(false));

    /// <summary>True when the load was stopped.</summary>
    public bool IsAbandoned => _abandoned.IsCancellationRequested;

    /// <summary>Stops a load that nobody waits for any more.</summary>
    public void Abandon() => _abandoned.Cancel();

    /// <summary>Disposes the model and lets go of its plugin.</summary>
    public async Task DisposeAsync()
    {
        try
        {
            if (_load is not null) await (await _load.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
#pragma warning disable CA1031 // a model whose load failed, or that fails on its way out, must not keep its plugin
        catch (Exception)
        {
        }
#pragma warning restore CA1031
        finally
        {
            _abandoned.Dispose();
            pluginLease.Dispose();
            _gone.TrySetResult();
        }
    }
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
