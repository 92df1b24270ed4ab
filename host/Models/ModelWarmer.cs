using ModelZoo.Contracts;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Models;

/// <summary>Opens the models that the manifest calls warm when the host starts; one that fails is logged, and is tried again when it is asked for.</summary>
internal sealed class ModelWarmer(LiveManifest manifest, ModelPool pool, ILogger<ModelWarmer> log) : BackgroundService
{
    /// <summary>True when all of them were tried.</summary>
    public bool IsDone { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await WarmAsync(stoppingToken).ConfigureAwait(false);
        IsDone = true;
    }

    /// <summary>Opens those that are not open.</summary>
    public async Task WarmAsync(CancellationToken cancel)
    {
        foreach (var id in manifest.Current.Models.Where(pair => pair.Value.Warm).Select(pair => pair.Key))
        {
            try
            {
                (await pool.AcquireAsync(new(id), cancel).ConfigureAwait(false)).Dispose();
                log.LogInformation("{Model} is open", id);
            }
            catch (ModelZooException error)
            {
                log.LogError("{Model} could not be opened: {Reason}", id, error.Message);
            }
        }
    }
}
