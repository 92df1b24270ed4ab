namespace ModelZoo.Contracts;

/// <summary>
/// Learns a model's published files from a corpus: a vocabulary, a codebook. No verb of a served model: it belongs to the command line (<c>modelzoo train</c>), and what it writes is opened like any checkpoint.
/// </summary>
public interface ITrain
{
    /// <summary>What the corpus holds.</summary>
    Modality LearnsFrom { get; }

    /// <summary>The options that it takes.</summary>
    OptionsSchema TrainOptions { get; }

    /// <summary>Learns from files and writes what it learned.</summary>
    /// <param name="files">The corpus.</param>
    /// <param name="folder">Where the files go; it exists.</param>
    /// <param name="options">Of the kind that <see cref="TrainOptions"/> describes.</param>
    /// <param name="progress">Told how far it is, many times a second.</param>
    /// <param name="cancel">Stops soon; files may be left half written.</param>
    ValueTask<TrainingResult> TrainAsync(IReadOnlyList<string> files, string folder, ModelOptions options, IProgress<TrainingProgress> progress, CancellationToken cancel = default);
}

/// <summary>How far training is.</summary>
/// <param name="Stage">What is being done, such as <c>merging</c>.</param>
/// <param name="Done">Steps done of this stage.</param>
/// <param name="Of">Steps in all; null when that is not known.</param>
public sealed record TrainingProgress(string Stage, int Done, int? Of);

/// <summary>What training gave.</summary>
/// <param name="Architecture">The architecture that opens the folder.</param>
/// <param name="Files">Names of the files that were written.</param>
public sealed record TrainingResult(ModelId Architecture, IReadOnlyList<string> Files)
{
    /// <summary>Named figures for a reader, such as the size of the vocabulary.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Figures { get; init; } = [];
}
