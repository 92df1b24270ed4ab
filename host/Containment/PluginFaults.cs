using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Containment;

/// <summary>
/// Counts what plugins do wrong. Requests that fail one after the other with no answer between them, or faults in the background, condemn a plugin when there are as many as the manifest allows; what would have ended the process
/// condemns it at once.
/// </summary>
internal sealed class PluginFaults(LiveManifest manifest)
{
    /// <summary>Called with the plugin and the sentence against it, once for each plugin.</summary>
    public Action<LoadedPlugin, string>? Condemned { get; set; }

    /// <summary>Takes note of a fault.</summary>
    public void Report(LoadedPlugin plugin, PluginFault fault)
    {
        var count = plugin.Faults.Add(fault.Kind == FaultKind.Request);
        if (fault.Kind is FaultKind.Fatal or FaultKind.Leak) Condemn(plugin, fault.What);
        else if (count >= manifest.Quarantine.Faults) Condemn(plugin, $"{count} faults with no answer between them, the last: {fault.What}");
    }

    /// <summary>Takes note of an answer.</summary>
    public static void Answered(LoadedPlugin plugin) => plugin.Faults.Answered();

    private void Condemn(LoadedPlugin plugin, string why)
    {
        if (plugin.Faults.TryCondemn()) Condemned?.Invoke(plugin, why);
    }
}

/// <summary>The faults of one loaded plugin.</summary>
internal sealed class FaultCount
{
    private int _inARow;
    private int _behind;
    private int _condemned;

    /// <summary>Counts a fault and gives how many there are.</summary>
    public int Add(bool isRequest) => isRequest ? Interlocked.Increment(ref _inARow) + Volatile.Read(ref _behind) : Interlocked.Increment(ref _behind) + Volatile.Read(ref _inARow);

    /// <summary>An answer makes up for requests that failed.</summary>
    public void Answered()
    {
        if (Volatile.Read(ref _inARow) != 0) Volatile.Write(ref _inARow, 0);
    }

    /// <summary>True for the first who condemns.</summary>
    public bool TryCondemn() => Interlocked.Exchange(ref _condemned, 1) == 0;
}
