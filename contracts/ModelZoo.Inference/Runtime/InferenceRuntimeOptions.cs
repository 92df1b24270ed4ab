namespace ModelZoo.Inference;

/// <summary>How the engine is set up, once for all sessions.</summary>
public sealed record InferenceRuntimeOptions
{
    /// <summary>Threads that one operator may use, shared by all sessions; 0 takes one a core.</summary>
    public int Threads { get; init; }

    /// <summary>Whether waiting threads spin for a while: faster when little else runs on the machine, wasteful otherwise.</summary>
    public bool Spin { get; init; } = true;

    /// <summary>The least serious message that <see cref="Log"/> is given.</summary>
    public EngineSeverity LogLevel { get; init; } = EngineSeverity.Warning;

    /// <summary>Takes the engine's messages, from any thread. Failures are exceptions besides.</summary>
    public Action<EngineMessage>? Log { get; init; }

    /// <summary>The native library to load, instead of the one that is found.</summary>
    public string? LibraryPath { get; init; }
}
