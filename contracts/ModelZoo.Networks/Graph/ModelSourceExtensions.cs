using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>What every model does with its source.</summary>
public static class ModelSourceExtensions
{
    /// <summary>Opens the published weights: the parts that the source names, or the folder's usual files.</summary>
    /// <param name="source">Where they are.</param>
    /// <param name="copies">Where in a PyTorch file the weights usually are, averaged ones first; <see cref="Inference.CheckpointPart.Copies"/>. A key that the source names goes before.</param>
    /// <exception cref="CheckpointException">Nothing is there, or a file cannot be read.</exception>
    public static Checkpoint OpenCheckpoint(this ModelSource source, params string[] copies)
    {
        var folder = source.RequireFolder();
        return Checkpoint.Open(source.Parts.Count == 0
            ? [new(folder) { Copies = copies }]
            : [.. source.Parts.Select(part => new Inference.CheckpointPart(Path.Combine(folder, part.File), part.Key) { Copies = copies })]);
    }

    /// <summary>SHA-256 of a checkpoint, for <see cref="ModelFacts.Digests"/>.</summary>
    public static async ValueTask<IReadOnlyDictionary<string, string>> DigestsAsync(this Checkpoint checkpoint, CancellationToken cancel) =>
        new Dictionary<string, string> { [Path.GetFileName(checkpoint.Files[0])] = await Task.Run(() => checkpoint.Digest, cancel).ConfigureAwait(false) };
}
