namespace ModelZoo.Inference;

/// <summary>How serious a message of the engine is.</summary>
public enum EngineSeverity
{
    /// <summary>Details for the engine's own developers.</summary>
    Verbose,
    /// <summary>What the engine does.</summary>
    Information,
    /// <summary>Something is slower or other than it could be.</summary>
    Warning,
    /// <summary>Something failed.</summary>
    Error,
    /// <summary>The engine cannot go on.</summary>
    Fatal,
}

/// <summary>A line of the engine's log.</summary>
/// <param name="Severity">How serious it is.</param>
/// <param name="Session">Name of the session that it is about; empty when about none.</param>
/// <param name="Text">What it says.</param>
public sealed record EngineMessage(EngineSeverity Severity, string Session, string Text);
