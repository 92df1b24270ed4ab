using System.Runtime.InteropServices;
using System.Security.Cryptography;
using ModelZoo.Contracts;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Models;

namespace ModelZoo.Host.Serving;

/// <summary>
/// Reads the manifest and the files of keys again while the server serves: when one of them changed (they are looked at once a second, which works for mounted secrets and config maps too), on SIGHUP, and when an administrator asks.
/// Everything is read before anything changes: a file that cannot be used changes nothing, and why is in the log and at <c>/v1/admin/configuration</c>. No request is lost: plugins and models that leave finish what they have.
/// </summary>
internal sealed class Reloader(
    ZooOptions options, LiveManifest manifest, KeyRing keys, PluginReconciler plugins, ModelPool pool, ModelWarmer warmer, TimeProvider clock, ILogger<Reloader> log) : BackgroundService
{
    /// <summary>Time between two looks at the files.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _one = new(1);

    /// <summary>When the configuration that counts was read.</summary>
    public DateTimeOffset ReadAt { get; private set; } = clock.GetUtcNow();

    /// <summary>Why the files as they stand are not used; null when they are.</summary>
    public ModelZooException? Refused { get; private set; }

    /// <summary>Reads the files and makes what they say count.</summary>
    /// <exception cref="ModelZooException">A file cannot be used; everything stays as it was.</exception>
    public async Task ReloadAsync(CancellationToken cancel)
    {
        await _one.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            var (fresh, ring) = (Zoo.ReadManifest(options), keys.Read());
            manifest.Replace(fresh);
            keys.Replace(ring);
            await plugins.ApplyAsync(fresh, cancel).ConfigureAwait(false);
            pool.Renew();
            (ReadAt, Refused) = (clock.GetUtcNow(), null);
            log.LogInformation("The configuration was read again: {Files}", string.Join(", ", fresh.Files));
            await warmer.WarmAsync(cancel).ConfigureAwait(false);
        }
        catch (ModelZooException error)
        {
            Refused = error;
            log.LogError("The configuration was not read again, and the old one goes on: {Reason}", error.Message);
            throw;
        }
        finally
        {
            _one.Release();
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _one.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var asked = 0;
        using var signal = OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            Interlocked.Exchange(ref asked, 1);
        });
        using var timer = new PeriodicTimer(Interval);
        var (taken, seen) = (Signature(), Signature());
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            var now = Signature();
            var changed = now != taken && now == seen; // a file that is being written is waited out
            seen = now;
            if (!changed && Interlocked.Exchange(ref asked, 0) == 0) continue;
            taken = now;
            try
            {
                await ReloadAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (ModelZooException)
            {
                // It is in the log, and at /v1/admin/configuration.
            }
        }
    }

    // What the files hold; times say nothing where a mounted folder is exchanged as a whole.
    private string Signature() => string.Join('|', manifest.Current.Files.Concat(keys.Files).Select(Digest));

    private static string Digest(string file)
    {
        try
        {
            return Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return error.GetType().Name;
        }
    }
}
