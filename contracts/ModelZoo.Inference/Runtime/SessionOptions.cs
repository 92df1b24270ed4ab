namespace ModelZoo.Inference;

/// <summary>How a session is made.</summary>
public sealed record SessionOptions
{
    /// <summary>Where it runs.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>Whether the processor may stand in for a <see cref="Device"/> that is not there.</summary>
    public bool AllowCpuFallback { get; init; }

    /// <summary>
    /// True copies matrices once into the layout that the processor multiplies fastest, which pays when a session runs often. False reads weights where they are, so that a
    /// session of a mapped checkpoint is there in milliseconds and takes no memory of its own.
    /// </summary>
    public bool Prepack { get; init; } = true;

    /// <summary>In what networks that are built keep the weights of their linear maps; a session of a file has what the file has.</summary>
    public WeightPrecision Precision { get; init; }

    /// <summary>How much the engine rewrites the graph.</summary>
    public GraphOptimization Optimization { get; init; } = GraphOptimization.All;

    /// <summary>Whether working memory is kept between runs; without it a run takes longer and an idle session holds less.</summary>
    public bool KeepWorkingMemory { get; init; } = true;

    /// <summary>Whether only algorithms are used that give the same result every time.</summary>
    public bool Deterministic { get; init; }

    /// <summary>Start of the path of a profile (Chrome trace) that is written when the session is disposed.</summary>
    public string? Profile { get; init; }

    /// <summary>Further settings in the engine's own words, for example <c>session.intra_op.allow_spinning</c>.</summary>
    public IReadOnlyDictionary<string, string> EngineSettings { get; init; } = new Dictionary<string, string>();
}

/// <summary>How much the engine rewrites a graph before it runs it.</summary>
public enum GraphOptimization
{
    /// <summary>Not at all.</summary>
    None = 0,
    /// <summary>Folding of constants and removal of what has no effect.</summary>
    Basic = 1,
    /// <summary>Fusion of operators, too.</summary>
    Extended = 2,
    /// <summary>Changes of memory layout, too, and on the processor operators of our own (<see cref="InferenceRuntime.OwnOperators"/>).</summary>
    All = 99,
}
