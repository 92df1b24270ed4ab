namespace ModelZoo.Contracts;

/// <summary>
/// Runs a model over a data set. The model turns examples into observations (what went in, what came out); the host feeds them to metrics and reports count, confidence interval, seed and digests.
/// </summary>
public interface IEvaluate
{
    /// <summary>What an example holds.</summary>
    Modality Evaluates { get; }

    /// <summary>Metrics that are computed unless others are asked for; names of <see cref="IMetric"/>.</summary>
    IReadOnlyList<string> DefaultMetrics { get; }

    /// <summary>The options that it takes.</summary>
    OptionsSchema EvaluateOptions { get; }

    /// <summary>
    /// How many neighbours in the data set are worked on together. Each call of <see cref="ObserveAsync"/> gets so many at most, from a multiple of this number on, however the data set is divided among processes: so the parts give,
    /// bit for bit, what the whole gives. <see cref="int.MaxValue"/> asks for the whole set at once: it is then one share's work.
    /// </summary>
    int BatchSize(ModelOptions options) => 1;

    /// <summary>One or more observations for each example, in the examples' order. They depend on these examples and their places (<see cref="Example.Ordinal"/>), options and seed, and on nothing that was observed before.</summary>
    IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, CancellationToken cancel = default);
}

/// <summary>One item of a data set.</summary>
/// <param name="Id">Name within the data set, such as a relative path.</param>
/// <param name="Media">What the model is given.</param>
public sealed record Example(string Id, Media Media)
{
    /// <summary>Place in the data set, from 0. Noise that is drawn for an example belongs to its place, whoever observes it and beside whom.</summary>
    public int Ordinal { get; init; }

    /// <summary>What the model should give, where that is not the media itself.</summary>
    public Media? Target { get; init; }

    /// <summary>Class, caption or user, where the data set has one.</summary>
    public string? Label { get; init; }
}

/// <summary>What came out of a model for an example.</summary>
/// <param name="Id">The example's id.</param>
/// <param name="Reference">What would have been right, or the original.</param>
/// <param name="Output">What the model gave.</param>
public sealed record Observation(string Id, Media? Reference, Media? Output)
{
    /// <summary>The setting it belongs to, such as <c>6 kbps</c>; results are reported for each. Empty when there is one.</summary>
    public string Group { get; init; } = "";

    /// <summary>The tokens in between.</summary>
    public Tokens? Tokens { get; init; }

    /// <summary>Class, caption or user, where the data set has one.</summary>
    public string? Label { get; init; }
}
