using System.Collections.Immutable;
using System.Runtime.ExceptionServices;
using System.Runtime.Loader;
using ModelZoo.Host.Loading;

namespace ModelZoo.Host.Containment;

/// <summary>
/// Catches what plugins throw where nobody waits: on threads, on the thread pool, in tasks that nobody looks at. An exception whose stack, or that of its inner ones, leads through a plugin's load context is that plugin's fault, and
/// the process goes on; any other is the host's own, and ends the process as it should.
/// </summary>
internal sealed class BackgroundFaults : IDisposable
{
    // .NET takes one handler a process and never gives it back, so it is set once and asks whoever is there.
    private static ImmutableList<BackgroundFaults> s_all = [];

    private static readonly Lazy<bool> Installed = new(() =>
    {
        ExceptionHandling.SetUnhandledExceptionHandler(static error =>
        {
            if (Culprit.Of(error) is not { } context) return false;
            foreach (var faults in Volatile.Read(ref s_all)) faults.Blame(context, error, FaultKind.Fatal);
            return true; // also when the plugin has left: its last threads are nobody's loss
        });
        return true;
    });

    private readonly PluginCatalog _catalog;
    private readonly PluginFaults _faults;

    /// <summary>Watches until it is disposed.</summary>
    public BackgroundFaults(PluginCatalog catalog, PluginFaults faults)
    {
        (_catalog, _faults) = (catalog, faults);
        _ = Installed.Value;
        ImmutableInterlocked.Update(ref s_all, static (all, self) => all.Add(self), this);
        TaskScheduler.UnobservedTaskException += OnUnobserved;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        TaskScheduler.UnobservedTaskException -= OnUnobserved;
        ImmutableInterlocked.Update(ref s_all, static (all, self) => all.Remove(self), this);
    }

    private void Blame(AssemblyLoadContext context, Exception error, FaultKind kind)
    {
        if (_catalog.Plugins.FirstOrDefault(record => record.Loaded?.IsIn(context) == true)?.Loaded is not { } plugin) return;
        var cause = error is AggregateException { InnerException: { } inner } ? inner : error;
        _faults.Report(plugin, new(kind, $"{(kind == FaultKind.Fatal ? "a thread of it would have ended the process" : "a task of it failed and nobody looked")}: {cause.GetType().Name}: {cause.Message}"));
    }

    private void OnUnobserved(object? sender, UnobservedTaskExceptionEventArgs unobserved)
    {
        if (Culprit.Of(unobserved.Exception) is { } context) Blame(context, unobserved.Exception, FaultKind.Background);
    }
}
