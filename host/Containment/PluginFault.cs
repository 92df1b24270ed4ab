namespace ModelZoo.Host.Containment;

/// <summary>What a plugin did wrong.</summary>
internal enum FaultKind
{
    /// <summary>A request ended with an exception that is none of the contracts'. An answer afterwards makes up for it.</summary>
    Request,
    /// <summary>Work that nobody waits for failed, or a request went on long after it was cancelled. No answer makes up for it.</summary>
    Background,
    /// <summary>Work that nobody waits for failed in a way that would have ended the process.</summary>
    Fatal,
    /// <summary>It left something behind that outlives it: its load context, or open files.</summary>
    Leak,
}

/// <summary>One of a plugin's faults.</summary>
/// <param name="Kind">What it did wrong.</param>
/// <param name="What">What was seen, for people. Only text: an exception would hold the plugin's load context.</param>
internal sealed record PluginFault(FaultKind Kind, string What);
