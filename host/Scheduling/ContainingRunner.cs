using ModelZoo.Contracts;
using ModelZoo.Host.Containment;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Scheduling;

/// <summary>
/// Turns what a plugin throws into an error that names the plugin, and takes note of it; cancellation and the host's own errors pass. The plugin's code runs on a thread of the pool, so that one that goes on long after it was cancelled
/// keeps nobody waiting but itself. Calls that have been quick for a while run on the thread of their request, as changing threads would take longer than they do; one that goes on there keeps that request, but its place in the queue
/// is given back.
/// </summary>
internal sealed class ContainingRunner(IModelRunner inner, PluginFaults faults, CrashMarks marks, LiveManifest manifest, TimeProvider clock) : IModelRunner
{
    private readonly Paces _paces = new();

    public async Task<T> RunAsync<T>(ModelCall call, Func<Models.ModelLease, CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        LoadedPlugin? plugin = null;
        var started = clock.GetTimestamp();
        var running = _paces.IsQuick(call) ? RunHere() : Task.Run(Run, CancellationToken.None);
        try
        {
            var answer = await Patiently(running, cancel).ConfigureAwait(false);
            if (plugin is not null) PluginFaults.Answered(plugin);
            _paces.Answered(call, clock.GetElapsedTime(started));
            return answer;
        }
        catch (TimeoutException) when (cancel.IsCancellationRequested && !running.IsCompleted)
        {
            _ = running.ContinueWith(static late => _ = late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            WentOn();
            throw new OperationCanceledException($"{call.Model.Id} was cancelled, and goes on.", cancel);
        }
        catch (Exception error) when (error is not ModelZooException && !(error is OperationCanceledException && cancel.IsCancellationRequested))
        {
            // Only text of the plugin's exception is kept: the exception itself would hold its load context.
            var what = $"{call.Model.Id} failed in {call.Verb}: {error.GetType().Name}: {error.Message}";
            if (plugin is not null && Culprit.Of(error) is { } context && plugin.IsIn(context)) faults.Report(plugin, new(FaultKind.Request, what));
            throw new ModelZooException(ErrorCodes.PluginFailed, what) { Where = Place(error), Remedy = "This is a fault of the plugin; tell its author." };
        }

        Task<T> Run() => inner.RunAsync(call, async (lease, stop) =>
        {
            plugin = lease.Resident.Plugin;
            using var mark = marks.Begin(plugin.Name, plugin.Path);
            return await work(lease, stop).ConfigureAwait(false);
        }, cancel);

        Task<T> RunHere()
        {
            using var watch = new Overrun(manifest.Quarantine.CancelPatience, clock, () =>
            {
                _paces.Forget(call);
                WentOn();
                call.GiveBack?.Invoke();
            }, cancel);
            return Run();
        }

        void WentOn()
        {
            if (plugin is not null) faults.Report(plugin, new(FaultKind.Background, $"{call.Model.Id} went on in {call.Verb} for {manifest.Quarantine.CancelPatience.TotalSeconds:0.#} s after it was cancelled"));
        }
    }

    private async Task<T> Patiently<T>(Task<T> running, CancellationToken cancel)
    {
        try
        {
            return await running.WaitAsync(cancel).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return await running.WaitAsync(manifest.Quarantine.CancelPatience, clock, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private static string? Place(Exception error) => error.StackTrace?.Split('\n').Select(line => line.Trim()).FirstOrDefault(line => !line.Contains("System.", StringComparison.Ordinal));
}
